"""``python -m tests.soak``: put a run to every fault, and tell; ``--write docs/soak.md`` writes the page of it."""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

from sixnd.specs.files import write_atomically
from tests.soak.soak import SEED, soak
from tests.soak.table import page


def main() -> None:
    """Run it in a folder of its own, which goes where nothing failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page of this soak")
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="an empty folder to work in, which stays")
    parser.add_argument("--seed", type=int, default=SEED, help="decides the order of the faults")
    parser.add_argument("--only", default="", metavar="REGEX", help="only the faults whose names hold it")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no process and no disk is left
    with tempfile.TemporaryDirectory() as folder:
        done = soak(given.work or Path(folder), lambda line: print(line, flush=True), given.seed, given.only)
    if given.write is not None:
        write_atomically(given.write, page(done, os.getloadavg()[2]))


if __name__ == "__main__":
    main()
