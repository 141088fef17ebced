"""How far calibration by a few rows of a source of published runs improves the predictions of its other rows.

    python -m tests.benchmarks.calibration_truth THROUGHPUT.csv [--draws 6]

prints JSON: for none, one, three and five rows given, the mean absolute relative error of step time in per cent of the
source's other rows on the same accelerator, in the same precision and with the same habits of its program, dense and
mixture of experts apart, and the share of them inside their 80 % interval. The rows given are drawn at random. Each
source is first left out of the fit of the catalog's constants, to first order: their prior and the weights of rows are
those of the catalog's fit (head of ``step-families.yaml``).
"""

import argparse
import csv
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sixnd.planner.calibration import WIDTHS, Calibrated, MeasuredStep, calibrated, constants, log_slopes
from sixnd.planner.candidates import Floats
from sixnd.planner.runtime import Runtime, with_constants
from sixnd.planner.step_seconds import relative_error
from tests.benchmarks.cost_truth import number, unfair
from tests.benchmarks.step_rows import DEVICES, RefusedError, Row, configuration

GIVEN = (0, 1, 3, 5)
COMMON = (
    "network", "scale_up", "misaligned", "cast", "bytes_per_logit", "step_overhead_s", "exposed_data", "exposed_gather"
)  # fmt: skip
"""Constants that the catalog's fit takes to be the same in all families."""
FIT_ERROR = 0.08
"""Standard deviation of log step time in the catalog's fit."""
_REWEIGHTINGS = 5


class Case(NamedTuple):
    """A published row: measured step and where it ran."""

    source: str
    chips: str
    pretraining: bool
    step: MeasuredStep
    runtime: Runtime

    def off(self) -> float:
        """Logarithm of measured over predicted step time."""
        return math.log(self.step.seconds / self.step.predicted_s(self.runtime))


def cases(path: Path) -> list[Case]:
    """The fair rows of a file that the model takes."""
    with path.open(newline="", encoding="utf-8") as file:
        return [found for row in csv.DictReader(file) if not unfair(row) for found in _case(row)]


def _case(row: Row) -> Iterator[Case]:
    seconds = number(row, "iter_time_s")
    if not seconds > 0:
        return
    try:
        found = configuration(row)
    except RefusedError:
        return
    step = MeasuredStep(found.model, found.layouts, found.sequence, found.global_batch, seconds)
    yield Case(row["source"], DEVICES[row["gpu"]][0], row["task"] == "pretrain", step, found.runtime)


def left_out(found: Sequence[Case]) -> list[Case]:
    """The rows with the constants that the rows of other sources alone would give, to first order."""
    keys = sorted({_key(one, name) for one in found for name in constants(one.runtime.family)})
    place = {key: i for i, key in enumerate(keys)}
    J, e = np.zeros((len(found), len(keys))), np.array([one.off() for one in found])
    for i, one in enumerate(found):
        names = list(constants(one.runtime.family))
        J[i, [place[_key(one, name)] for name in names]] = log_slopes([one.step], one.runtime, names)[0]
    sources = [one.source for one in found]
    even = len(found) / len(set(sources))
    weights = np.array([math.sqrt(even / sources.count(s)) for s in sources]) / FIT_ERROR
    weights *= [one.pretraining for one in found]
    width = np.array([WIDTHS[name.partition(".")[0]] for _, name in keys])
    shifts = {
        source: dict(zip(keys, _fit(J, e, weights * [s != source for s in sources], width), strict=True))
        for source in set(sources)
    }
    return [one._replace(runtime=_shifted(one, shifts[one.source])) for one in found]


def _key(one: Case, name: str) -> tuple[str, str]:
    return ("all" if name in COMMON else one.chips, name)


def _fit(J: Floats, e: Floats, weights: Floats, width: Floats) -> list[float]:
    """Shifts of the constants' logarithms: least squares with a soft L1 loss and the prior's widths."""
    A, b = J * weights[:, None], e * weights
    pull, x = np.ones(len(b)), np.zeros(J.shape[1])
    for _ in range(_REWEIGHTINGS):
        x = np.linalg.solve(np.diag(width**-2.0) + A.T @ (pull[:, None] * A), A.T @ (pull * b))
        pull = 1 / np.sqrt(1 + (b - A @ x) ** 2)
    return [float(value) for value in x]


def _shifted(one: Case, shift: dict[tuple[str, str], float]) -> Runtime:
    family = one.runtime.family
    values = {name: value * math.exp(shift[_key(one, name)]) for name, value in constants(family).items()}
    free = ("cast", "bytes_per_logit", "misaligned")
    shares = {name: value if name in free else min(value, 1.0) for name, value in values.items()}
    return replace(one.runtime, family=with_constants(family, shares))


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
    print(json.dumps(report(left_out(cases(given.file)), given.draws), indent=2))


if __name__ == "__main__":
    main()
