"""What the report of a run of a million steps takes: `python -m tests.benchmarks.long_report [STEPS]`.

Prints seconds of processor time for reading the record, for the facts and for the page, the size of the page, and how
long a browser takes until its last chart is drawn (three times; needs Chromium).
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sixnd.reporting import read_run
from sixnd.reports.html import run_html
from sixnd.reports.run_facts import run_facts
from tests.reports.long_run import STEPS, write_long_run
from tests.reports.opening import BROWSER, opening_s

T = TypeVar("T")


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_long_run(folder, steps)
        size = (folder / "record.jsonl").stat().st_size
        print(f"record of {steps:,} steps: {size / 1e6:.0f} MB")
        plan, record = _timed("read", lambda: read_run(folder))
        _timed("facts", lambda: run_facts(plan, record))
        page = _timed("page, with facts", lambda: run_html(plan, record))
        print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
        print(f"page: {len(page.encode()) / 1e6:.2f} MB")
        for _ in range(3 if BROWSER else 0):
            print(f"opened in {opening_s(page, folder):.2f} s")


def _timed(what: str, act: Callable[[], T]) -> T:
    began = time.process_time()
    found = act()
    print(f"{what}: {time.process_time() - began:.2f} s of processor time", flush=True)
    return found


if __name__ == "__main__":
    main()
