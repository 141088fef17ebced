"""Fit the constants of the step-time model to published rows, and judge them by rows held out.

    python -m tests.benchmarks.step_fit THROUGHPUT.csv [--sweeps LAYOUT_SWEEPS.csv] [--write]

prints JSON: the errors in sample, of groups of model and accelerator held out, and of whole sources held out; ranking
and intervals under the same. ``--write`` puts constants and intervals into ``step-families.yaml`` and the table into
docs/step-time.md. Half a minute; the same files give the same constants.

Least squares of log step time with a soft L1 loss, each source with the same weight in all, around a prior on the
logarithm of every constant, by Levenberg-Marquardt. Every held-out fit starts from the prior, not from the whole fit.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sixnd.planner.candidates import Bools, Floats
from sixnd.planner.runtime import with_constants
from sixnd.specs import catalog
from sixnd.specs.step_family import StepFamily
from tests.benchmarks.cost_truth import Judged
from tests.benchmarks.layout_ranking import ranking
from tests.benchmarks.step_columns import Columns, read

ALL = ("ampere", "hopper", "blackwell")
NOISE = 0.08
"""Scatter of log step time around the model that a row is weighed with."""
FOLDS = 8
_ROUNDS, _STEP, _CONVERGED = 30, 1e-4, 1e-5


class Constant(NamedTuple):
    """A constant to fit: fields of families that share it, with its prior."""

    name: str
    families: tuple[str, ...]
    centre: float
    spread: float
    """Standard deviation of the prior, of the logarithm."""
    bound: float = np.inf


SHARES: tuple[Constant, ...] = (
    Constant("matmul.bf16", ("ampere",), 0.8, 0.075, 1),
    Constant("matmul.bf16", ("hopper",), 0.75, 0.075, 1),
    Constant("matmul.bf16", ("blackwell",), 0.73, 0.025, 1),
    Constant("matmul.fp8", ("hopper",), 0.7, 0.075, 1),
    Constant("matmul.fp8", ("blackwell",), 0.75, 0.075, 1),
    Constant("matmul.fp4", ("blackwell",), 0.55, 0.075, 1),
    Constant("attention", ("ampere",), 0.35, 0.2, 1),
    Constant("attention", ("hopper",), 0.5, 0.2, 1),
    Constant("attention", ("blackwell",), 0.5, 0.2, 1),
    Constant("attention_flash2", ("hopper",), 0.35, 0.2, 1),
    Constant("memory", ("ampere",), 0.75, 0.15, 1),
    Constant("memory", ("hopper",), 0.7, 0.15, 1),
    Constant("memory", ("blackwell",), 0.7, 0.15, 1),
    Constant("network", ALL, 0.7, 0.1, 1),
    Constant("expert_matmul.bf16", ("ampere", "hopper"), 0.8, 0.25, 1),
    Constant("expert_matmul.fp8", ("hopper",), 0.8, 0.25, 1),
    Constant("expert_matmul.bf16", ("blackwell",), 0.6, 0.25, 1),
    Constant("expert_matmul.fp8", ("blackwell",), 0.6, 0.25, 1),
    Constant("exposed_tensor", ("hopper", "blackwell"), 0.8, 0.3, 1),
    Constant("exposed_dispatch", ALL, 0.3, 0.35, 1),
    Constant("exposed_data", ALL, 0.5, 0.3, 1),
    Constant("exposed_gather", ALL, 0.5, 0.25, 1),
    Constant("graph_overhead", ALL, 0.8, 0.25, 1),
)
COSTS: tuple[Constant, ...] = (
    Constant("misaligned", ALL, 1.3, 0.15),
    Constant("cast", ALL, 1.0, 0.3),
    Constant("bytes_per_logit", ALL, 27.0, 0.25),
    Constant("layer_overhead_s", ("ampere",), 100e-6, 0.35),
    Constant("layer_overhead_s", ("hopper",), 100e-6, 0.35),
    Constant("layer_overhead_s", ("blackwell",), 100e-6, 0.35),
    Constant("expert_overhead_s", ("ampere", "hopper"), 500e-6, 0.35),
    Constant("expert_overhead_s", ("blackwell",), 500e-6, 0.35),
    Constant("step_overhead_s", ALL, 10e-3, 0.5),
    Constant("launch_s", ALL, 800e-6, 0.25),
)
CONSTANTS = SHARES + COSTS
SAME = {"ampere": {"attention_flash2": "attention"}, "blackwell": {"attention_flash2": "attention"}}
"""Fields that no row tells from another one: all fused attention on A100 was FlashAttention's, none on Blackwell."""


@dataclass(frozen=True)
class Fit:
    """Rows, the families that their constants replace, and how much each row counts."""

    columns: Columns
    families: Mapping[str, StepFamily]
    weight: Floats

    @classmethod
    def of(cls, columns: Columns) -> "Fit":
        """Each source with the same weight in all."""
        names, counts = np.unique(columns.source, return_counts=True)
        share = dict(zip(names, counts**-0.5, strict=True))
        weight = np.array([share[source] for source in columns.source])
        return cls(
            columns, {name: catalog.step_family(name) for name in ALL}, weight * (len(weight) / len(names)) ** 0.5
        )

    def families_at(self, x: Floats) -> dict[str, StepFamily]:
        """The families with constants of logarithms ``x``."""
        values: dict[str, dict[str, float]] = {name: {} for name in ALL}
        for one, value in zip(CONSTANTS, np.exp(x).tolist(), strict=True):
            for name in one.families:
                values[name][one.name] = value
        for name, copies in SAME.items():
            values[name] |= {copy: values[name][field] for copy, field in copies.items()}
        return {name: with_constants(self.families[name], values[name]) for name in ALL}

    def predicted(self, x: Floats) -> Floats:
        """Log seconds of every row."""
        return self.columns.log_predicted(self.families_at(x))

    def fitted(self, rows: Bools) -> Floats:
        """Logarithms of the constants most probable given those rows, from the prior on."""
        used = rows & self.columns.fitted
        weight, measured = self.weight[used] / NOISE, self.columns.log_seconds[used]
        return _least(lambda x: (self.predicted(x)[used] - measured) * weight)


_CENTRE = np.log([one.centre for one in CONSTANTS])
_SPREAD = np.array([one.spread for one in CONSTANTS])
_BOUND = np.log([one.bound for one in CONSTANTS])


def _cost(residuals: Floats, x: Floats) -> float:
    soft = 2 * np.sum(np.sqrt(1 + residuals**2) - 1)
    return float(soft + np.sum(((x - _CENTRE) / _SPREAD) ** 2))


def _least(residuals: Callable[[Floats], Floats]) -> Floats:
    """Levenberg-Marquardt with the soft loss's weights; constants at a bound that push outwards stay there."""
    x, damping = np.minimum(_CENTRE, _BOUND), 1e-3
    r = residuals(x)
    cost = _cost(r, x)
    for _ in range(_ROUNDS):
        slope = np.stack([(residuals(x + step) - r) / _STEP for step in np.eye(len(x)) * _STEP], axis=1)
        weighted = slope / np.sqrt(1 + r**2)[:, None]
        normal = weighted.T @ slope + np.diag(_SPREAD**-2)
        gradient = weighted.T @ r + (x - _CENTRE) / _SPREAD**2
        moved = _descended(residuals, x, cost, normal, gradient, damping)
        if moved is None:
            break
        before = cost
        x, r, cost, damping = moved
        if before - cost < _CONVERGED * cost:
            break
    return x


def _descended(
    residuals: Callable[[Floats], Floats], x: Floats, cost: float, normal: Floats, gradient: Floats, damping: float
) -> tuple[Floats, Floats, float, float] | None:
    free = ~((x >= _BOUND - 1e-9) & (gradient < 0))
    for _ in range(10):
        matrix = normal + damping * np.diag(np.diag(normal))
        step = np.zeros_like(x)
        step[free] = np.linalg.solve(matrix[np.ix_(free, free)], -gradient[free])
        new = np.minimum(x + np.clip(step, -1, 1), _BOUND)
        r = residuals(new)
        if _cost(r, new) < cost:
            return new, r, _cost(r, new), max(damping / 5, 1e-9)
        damping *= 5
    return None


def folds_of(columns: Columns) -> list[Bools]:
    """Groups of model and accelerator in folds, those of sweeps alone dealt apart."""
    random = np.random.default_rng(0)
    own = np.unique(columns.group[~columns.sweep])
    sweeps = np.setdiff1d(columns.group, own)
    random.shuffle(own)
    random.shuffle(sweeps)
    return [np.isin(columns.group, [*own[i::FOLDS], *sweeps[i::FOLDS]]) for i in range(FOLDS)]


def held_out_groups(fit: Fit) -> Floats:
    """Log seconds of every row by constants fitted without its group of model and accelerator."""
    found = np.zeros(len(fit.columns.rows))
    for out in folds_of(fit.columns):
        found[out] = fit.predicted(fit.fitted(~out))[out]
    return found


def held_out_sources(fit: Fit) -> Floats:
    """The same without its source."""
    found = np.zeros(len(fit.columns.rows))
    for source in np.unique(fit.columns.source):
        out = fit.columns.source == source
        found[out] = fit.predicted(fit.fitted(~out))[out]
    return found


def half_widths(columns: Columns, by_group: Floats, by_source: Floats) -> dict[str, dict[str, float]]:
    """Half-widths by ratio that hold 80 % of the rows of both cross-validations, by family and kind of model.

    A family without rows of a kind takes the widest of the others.
    """
    off = np.abs(np.concatenate([one - columns.log_seconds for one in (by_group, by_source)]))
    kinds = {"relative_error": ~columns.experts & ~columns.sweep, "expert_relative_error": columns.experts}
    found: dict[str, dict[str, float]] = {}
    for field, rows in kinds.items():
        masks = {name: np.tile(rows & (columns.family == name), 2) for name in ALL}
        widths = {name: float(np.expm1(np.quantile(off[m], 0.8))) for name, m in masks.items() if m.any()}
        found[field] = {name: round(widths.get(name, max(widths.values())), 3) for name in ALL}
    return found


def summary(columns: Columns, predicted: Floats, rows: Bools, widths: Mapping[str, Mapping[str, float]]) -> Any:
    """Absolute relative errors of some rows in per cent, and the share of them inside the intervals."""
    off = predicted[rows] - columns.log_seconds[rows]
    sizes = 100 * np.abs(np.expm1(off))
    fields = np.where(columns.experts, "expert_relative_error", "relative_error")
    each = zip(fields[rows], columns.family[rows], strict=True)
    inside = np.abs(off) <= np.log1p([widths[field][name] for field, name in each])
    figures = {
        "mape": sizes.mean(),
        "median": np.median(sizes),
        "p90": np.quantile(sizes, 0.9),
        "bias": 100 * np.expm1(off).mean(),
        "coverage80": 100 * inside.mean(),
    }
    return {"n": int(rows.sum())} | {name: round(float(value), 1) for name, value in figures.items()}


def judged(columns: Columns, predicted: Floats, widths: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Errors of dense models and of experts, and the ranking of sweeps."""
    kinds = {"dense": ~columns.experts & ~columns.sweep, "moe": columns.experts & ~columns.sweep}
    found = {name: summary(columns, predicted, rows, widths) for name, rows in kinds.items() if rows.any()}
    times = zip(columns.rows, np.exp(predicted), np.exp(columns.log_seconds), columns.sweep, strict=True)
    sweeps = [Judged(row, float(p), float(m), 1.0) for row, p, m, sweep in times if sweep]
    return found | ({"ranking": ranking(sweeps)} if sweeps else {})


def report(columns: Columns) -> tuple[dict[str, Any], dict[str, StepFamily]]:
    """The errors, and the families with their new constants and intervals."""
    fit = Fit.of(columns)
    x = fit.fitted(np.ones(len(columns.rows), dtype=bool))
    by_group, by_source = held_out_groups(fit), held_out_sources(fit)
    widths = half_widths(columns, by_group, by_source)
    predictions = {"in sample": fit.predicted(x), "by group": by_group, "by source": by_source}
    found = {name: judged(columns, predicted, widths) for name, predicted in predictions.items()}
    families = {
        name: with_constants(family, {field: one[name] for field, one in widths.items()})
        for name, family in fit.families_at(x).items()
    }
    return found, families


def main() -> None:
    """Print the report; write what was fitted."""
    parser = argparse.ArgumentParser(description="Fit the step-time model to published rows")
    parser.add_argument("file", type=Path)
    parser.add_argument("--sweeps", type=Path, help="sweeps of layouts, which tell what launches cost")
    parser.add_argument("--write", action="store_true", help="write constants and table into the checkout")
    given = parser.parse_args()
    found, families = report(read(given.file, given.sweeps))
    print(json.dumps(found, indent=2))
    if given.write:
        from tests.benchmarks.step_writing import write

        write(found, families)


if __name__ == "__main__":
    main()
