"""The README's table of how accurate the cost model is, from the benchmarks that measure it.

    python -m tests.benchmarks.accuracy TRUTH_FOLDER [--write README.md]

prints the table in Markdown; ``--write`` puts it between the marks of a file. The folder holds ``throughput.csv``,
``layout_sweeps_a100.csv`` and ``memory.csv``. Takes about two minutes.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks import calibration_truth, memory_truth, step_fit
from tests.benchmarks.layout_search import OTHERS_S
from tests.benchmarks.marks import between
from tests.benchmarks.step_columns import read

BEGIN, END = "<!-- accuracy: written by tests/benchmarks/accuracy.py -->", "<!-- end of accuracy -->"
MODELS = {"dense": "dense models", "moe": "mixtures of experts"}


class Line(NamedTuple):
    """One line of the table."""

    what: str
    against: str
    error: str


def step_time(folder: Path) -> Iterator[Line]:
    """Step time of rows held out, by kind of model."""
    found, _ = step_fit.report(read(folder / "throughput.csv", folder / "layout_sweeps_a100.csv"))
    for kind, name in MODELS.items():
        rows = found["by group"][kind]["n"]
        for held_out, how in (("by group", "model and accelerator held out"), ("by source", "whole source held out")):
            one = found[held_out][kind]
            error = (
                f"mean absolute error {one['mape']} %, median {one['median']} %, 90th percentile {one['p90']} %; "
                f"{one['coverage80']} % of them inside the 80 % interval"
            )
            yield Line(f"step time, {name}", f"{rows} published rows, {how}", error)
    ranks = found["by group"]["ranking"]
    yield Line(
        "ranking of layouts",
        f"{ranks['n']} sweeps of 5 to 26 layouts on up to 8 A100 (vTrain), each held out",
        f"Spearman {ranks['spearman']} on average; the first choice takes {ranks['regret']} % longer than the best",
    )


def calibration(folder: Path) -> Iterator[Line]:
    """Step time of a source's other rows after `sixnd calibrate` has seen some."""
    cases = calibration_truth.left_out(read(folder / "throughput.csv"))
    found = calibration_truth.report(cases, draws=6)
    for kind, name in MODELS.items():
        errors = ", ".join(f"{found[given][kind]['mape']:.1f} % with {given}" for given in found if given != "0")
        against = "other rows of the same source and program, which is left out of the fit"
        none = found["0"][kind]["mape"]
        yield Line(
            f"the same, {name}, calibrated by logs", against, f"mean absolute error {none:.1f} % with no row, {errors}"
        )


def memory(folder: Path) -> Iterator[Line]:
    """Memory that tensors hold, and what the device says."""
    found = memory_truth.report(folder / "memory.csv")
    for source, one in found["by_source"].items():
        if one["n"] >= 10:
            error = f"mean absolute error {one['mape']} %, 90th percentile {one['p90']} %"
            yield Line("memory", f"{one['n']} figures of {source}", error)
    spent = found["out_of_memory"]
    yield Line("out of memory", f"{spent['n']} runs that did", f"{spent['called']} called")


def search() -> Iterator[Line]:
    """How long a search takes, each in a process of its own."""
    run = subprocess.run([sys.executable, "-m", "tests.benchmarks.layout_search"], check=True, capture_output=True)
    found: dict[str, dict[str, Any]] = json.loads(run.stdout)
    others = ", ".join(f"{name} {1 / seconds:.3g}" for name, seconds in OTHERS_S.items())
    for name, one in found.items():
        error = f"{one['cpu_s']} CPU s; {one['evaluated_per_s']:,} layouts a second (one core: {others})"
        yield Line("search", f"{name}: {one['splits']:,} splits, exact over {one['covered']:,} layouts", error)


def table(lines: Iterator[Line]) -> str:
    """Markdown."""
    head = ["| what | held against | result |", "|---|---|---|"]
    return "\n".join([*head, *(f"| {one.what} | {one.against} | {one.error} |" for one in lines)])


def all_lines(folder: Path) -> Iterator[Line]:
    """Everything."""
    yield from step_time(folder)
    yield from calibration(folder)
    yield from memory(folder)
    yield from search()


def main() -> None:
    """Print or write the table."""
    parser = argparse.ArgumentParser(description="The README's table of accuracy")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", type=Path, help="put it between the marks of this file")
    given = parser.parse_args()
    body = table(all_lines(given.folder))
    print(body)
    if given.write:
        given.write.write_text(between(given.write.read_text("utf-8"), BEGIN, END, body), "utf-8")


if __name__ == "__main__":
    main()
