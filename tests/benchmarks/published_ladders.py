"""Ladders of twelve runs, cut out of published isoFLOP lines, each held against the line of eight times their compute.

What `sixnd ladder --design isoflop` designs: three lines at 1/8, 1/23 and 1/64 of the target's compute, four sizes
around the best of each. The target is the best run of its own line, where that lies between others.
"""

from collections.abc import Iterator

import numpy as np

from sixnd.planner.fitting.fit import Options, fit_law
from sixnd.planner.fitting.surface import Estimator
from sixnd.specs.run_table import RunRow, RunTable
from tests.benchmarks.published_fit import Held, held_against
from tests.benchmarks.published_series import Series

BELOW = (8.0, 8.0**1.5, 64.0)
"""The target's compute over that of each line."""
SIZES = 4
_SAME_LINE = 1.02
_FAR = 0.75
"""Most that ln C of a line may lie off the one looked for."""
_DRAWS = 400
ESTIMATORS: tuple[Estimator, ...] = ("frontier", "huber")
Told = dict[Estimator, Held]
"""A ladder's target, by each estimator."""


def told(every: Series) -> list[Told]:
    """The target of each ladder that can be cut out of a series."""
    return [{name: _held(every, runs, target, name) for name in ESTIMATORS} for runs, target in cut_ladders(every)]


def _held(every: Series, runs: list[RunRow], target: RunRow, estimator: Estimator) -> Held:
    table = RunTable(every.name, "0" * 64, runs)
    return held_against(fit_law(table, Options(estimator=estimator, draws=_DRAWS)).document, target)


def cut_ladders(every: Series) -> Iterator[tuple[list[RunRow], RunRow]]:
    """Twelve runs and their target: each line of a series that has three below it."""
    lines = _lines(every.rows)
    for line in lines:
        target = min(line, key=lambda row: row.loss)
        below = [_nearest(lines, target.compute / ratio) for ratio in BELOW]
        if target in (line[0], line[-1]) or None in below:
            continue
        found = [one for one in below if one is not None]
        if len({one[0].where for one in found}) == len(BELOW):
            yield [row for one in found for row in _around_the_best(one)], target


def _lines(rows: list[RunRow]) -> list[list[RunRow]]:
    """Runs of equal compute, by rising N; only lines of enough sizes."""
    found: list[list[RunRow]] = []
    for row in sorted(rows, key=lambda row: row.compute):
        if found and row.compute <= _SAME_LINE * found[-1][0].compute:
            found[-1].append(row)
        else:
            found.append([row])
    return [sorted(line, key=lambda row: row.params) for line in found if len(line) >= SIZES]


def _nearest(lines: list[list[RunRow]], compute: float) -> list[RunRow] | None:
    off, place = min((abs(np.log(line[0].compute / compute)), place) for place, line in enumerate(lines))
    return lines[place] if off <= _FAR else None


def _around_the_best(line: list[RunRow]) -> list[RunRow]:
    best = int(np.argmin([row.loss for row in line]))
    first = max(0, min(best - 1, len(line) - SIZES))
    return line[first : first + SIZES]
