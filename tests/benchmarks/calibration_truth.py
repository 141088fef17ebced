"""How far calibration by a few rows of a source of published runs improves the predictions of its other rows.

    python -m tests.benchmarks.calibration_truth THROUGHPUT.csv [--draws 6]

prints JSON: for none, one, three and five rows given, the mean absolute relative error of step time in per cent of the
source's other rows on the same accelerator, in the same precision and with the same habits of its program, dense and
mixture of experts apart, and the share of them inside their 80 % interval. The rows given are drawn at random. Each
source is first left out of the fit of the catalog's constants (``step_fit``); the intervals are the catalog's.
"""

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sixnd.planner.calibration import Calibrated, MeasuredStep, calibrated
from sixnd.planner.runtime import Runtime
from sixnd.planner.step_seconds import relative_error
from tests.benchmarks.step_columns import Columns, read
from tests.benchmarks.step_fit import Fit
from tests.benchmarks.step_rows import configuration

GIVEN = (0, 1, 3, 5)


class Case(NamedTuple):
    """A published row: the measured step, and where it ran by constants that do not know its source."""

    source: str
    step: MeasuredStep
    runtime: Runtime


def left_out(columns: Columns) -> list[Case]:
    """Every row, with the constants that the rows of other sources give."""
    fit = Fit.of(columns)
    families = {
        source: fit.families_at(fit.fitted(columns.source != source)) for source in sorted(set(columns.source.tolist()))
    }
    found = []
    for row, log_s in zip(columns.rows, columns.log_seconds.tolist(), strict=True):
        one = configuration(row, families[row["source"]])
        step = MeasuredStep(one.model, one.layouts, one.sequence, one.global_batch, math.exp(log_s))
        found.append(Case(row["source"], step, one.runtime))
    return found


def judged(group: Sequence[Case], given: Sequence[int]) -> Iterator[tuple[bool, float, bool]]:
    """Of every other row of a source: whether it has experts, its absolute relative error, whether it is inside."""
    fit = calibrated(group[given[0]].runtime, [group[i].step for i in given]) if len(given) else None
    for i, one in enumerate(group):
        if i in given:
            continue
        predicted, error = _prediction(one, fit)
        ratio = predicted / one.step.seconds
        yield one.step.model.experts is not None, abs(ratio - 1), max(ratio, 1 / ratio) <= 1 + error


def _prediction(one: Case, fit: Calibrated | None) -> tuple[float, float]:
    """Seconds and the half-width of their interval, by ratio."""
    if fit is None:
        return one.step.predicted_s(one.runtime), relative_error(one.step.model, one.runtime.family)
    there = replace(one.runtime, family=fit.runtime.family)
    return one.step.predicted_s(there), fit.posterior.relative_error(one.step, there)


def report(found: Sequence[Case], draws: int) -> dict[str, Any]:
    """Errors by the number of rows given; what is calibrated together is what one calibration is for."""
    groups: dict[tuple[object, ...], list[Case]] = defaultdict(list)
    for one in found:
        alike = one.runtime
        groups[one.source, alike.device.digest(), alike.precision, alike.habits].append(one)
    random, told = np.random.default_rng(0), {}
    for count in GIVEN:
        rows = [
            result
            for group in groups.values()
            if len(group) > max(GIVEN)
            for _ in range(draws if count else 1)
            for result in judged(group, random.choice(len(group), count, replace=False).tolist())
        ]
        told[str(count)] = {kind: _summary([r for r in rows if r[0] == (kind == "moe")]) for kind in ("dense", "moe")}
    return told


def _summary(rows: Sequence[tuple[bool, float, bool]]) -> dict[str, float]:
    if not rows:
        return {"n": 0}
    mape, inside = np.mean([error for _, error, _ in rows]), np.mean([inside for _, _, inside in rows])
    return {"n": len(rows), "mape": round(100 * float(mape), 2), "coverage80": round(100 * float(inside), 1)}


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description="Calibration by rows of a source held out")
    parser.add_argument("file", type=Path)
    parser.add_argument("--draws", type=int, default=6, help="random choices of the rows given, for each source")
    given = parser.parse_args()
    print(json.dumps(report(left_out(read(given.file)), given.draws), indent=2))


if __name__ == "__main__":
    main()
