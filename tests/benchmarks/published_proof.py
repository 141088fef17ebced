"""Published runs: a law fitted to each series' small runs only, held against its largest run and all others above.

    python -m tests.benchmarks.published_proof ../shared/scaling [--package] [--write]

What is split how was fixed before the first fit. Fitted are the runs of at most 1/8 of the largest compute (the
headline), of 1/4 and of 1/30; held out is everything above. A split with fewer than eight runs to fit is left out, and
so is one that fits as many runs as a split before it. The target is the largest run; where several share the largest
compute (isoFLOP designs), the one whose N is nearest to the N* that the small runs' law gives: what one would train.

Each split is fitted as ``sixnd fit`` fits by default, and with all runs alike (``--estimator huber``). The back-test in
every interval, gamma and the weights of the default were made after looks at these very errors: for them it is no blind
test.

Baselines: power laws L = A·C^-b and E + A·C^-b through the frontier of the same small runs (those that no run of less
compute beats); the PyPI package ``chinchilla`` by its default loss (``--package``: minutes, at 1/8 only); and 20 tokens
a parameter, which knows no loss, by the N it gives. ``--write`` writes docs/proof/published.{md,json,svg}.
"""

import argparse
import sys
import time
from pathlib import Path

from tests.benchmarks.published_fit import optima, proofs
from tests.benchmarks.published_ladders import told
from tests.benchmarks.published_page import text, write
from tests.benchmarks.published_series import series


def main() -> None:
    """Fit every series, tell each split as it is done, and print the page, or write it where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--package", action="store_true", help="the PyPI package chinchilla too")
    parser.add_argument("--write", action="store_true", help="write docs/proof/published.md, .json and .svg")
    given, found, ladders, start = parser.parse_args(), [], [], time.perf_counter()
    for every in series(given.folder):
        ladders += told(every) if every.form == "chinchilla" else []
        for one in proofs(every, package=given.package):
            found.append(one)
            said = f"{every.dataset}, {every.name}: 1/{1 / one.share:.0f}, {one.target.error:+.2%}"
            print(f"{said}, {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    if given.write:
        write(found, optima(given.folder), ladders)
    else:
        print(text(found, optima(given.folder), ladders))


if __name__ == "__main__":
    main()
