"""A law of a series' small runs held against its larger ones, beside plain baselines: for ``published_proof``."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sixnd.planner import laws
from sixnd.planner.fitting.fit import Options, as_runs, fit_law
from sixnd.planner.fitting.runs import Array, Runs
from sixnd.planner.laws import CHINCHILLA_RATIO, Interval
from sixnd.planner.question import drawn_decay
from sixnd.planner.repetition import Repetition
from sixnd.specs.law_document import LawDocument
from sixnd.specs.run_table import RunRow, RunTable
from tests.benchmarks.published_series import Series

SHARES = (1 / 8, 1 / 4, 1 / 30)
"""Of the largest compute; the first is the headline."""
LEAST_FITTED = 8
LEVELS = (0.95, 0.8)
_DRAWS = 400
"""As many as a law document keeps, and a plan's intervals use."""
_HAIR = 1.01
"""Budgets of one isoFLOP line agree to this factor."""
_EXPONENTS = np.geomspace(0.005, 1.0, 400)
_PACKAGE_GRID = {"E": (1.25, 1.75), "a": (3.0, 8.0), "b": (3.0, 8.0), "alpha": (0.25, 0.55), "beta": (0.25, 0.55)}
"""Two points inside each axis of its README's grid: 32 starts; its 3,125 take five minutes a fit."""
_ABOVE_CHINCHILLA = 1.4e22
"""FLOPs; Chinchilla's largest point has 1.3e22, the nearest row of table A3 1.32e22."""
Predictor = Callable[[float], float]


@dataclass(frozen=True)
class Held:
    """One run above the split."""

    params: float
    tokens: float
    actual: float
    predicted: float
    intervals: dict[float, Interval]
    before: dict[float, Interval]
    """By draws, residuals and the rule of widening alone, without what the back-test missed."""

    @property
    def error(self) -> float:
        """Predicted over actual, less one."""
        return self.predicted / self.actual - 1

    def inside(self, level: float, *, before: bool = False) -> bool:
        """Whether its interval holds the actual loss."""
        found = (self.before if before else self.intervals)[level]
        return found.low <= self.actual <= found.high


@dataclass(frozen=True)
class Proof:
    """One series at one split."""

    series: Series
    share: float
    fitted: int
    fitted_flops: float
    document: LawDocument
    held: list[Held]
    target: Held
    alike: Held
    """The target by ``sixnd fit --estimator huber``: all runs count alike, and gamma is 1."""
    baselines: dict[str, float] = field(default_factory=dict)
    """Loss of the target by each."""

    @property
    def target_flops(self) -> float:
        """C = 6ND of the target."""
        return 6 * self.target.params * self.target.tokens


def proofs(every: Series, *, package: bool) -> Iterator[Proof]:
    """Each split of a series that leaves enough to fit, and other runs than the splits before it."""
    seen = set()
    for share in SHARES:
        small = [row for row in every.rows if row.compute <= _HAIR * share * largest(every.rows)]
        if len(small) >= LEAST_FITTED and len(small) not in seen:
            seen.add(len(small))
            yield proof(every, share, small, package=package and share == SHARES[0])


def largest(rows: list[RunRow]) -> float:
    """The largest compute, FLOPs."""
    return max(row.compute for row in rows)


def proof(every: Series, share: float, small: list[RunRow], *, package: bool) -> Proof:
    """Fit the small runs as ``sixnd fit`` does, and predict the others."""
    table = RunTable(every.name, "0" * 64, small)
    document = fit_law(table, Options(form=every.form, draws=_DRAWS)).document
    above = [row for row in every.rows if row.compute > _HAIR * share * largest(every.rows)]
    held = [held_against(document, row) for row in above]
    top = largest(every.rows)
    best = laws.optimum(document.law, top).params
    at_top = [place for place, row in enumerate(above) if _HAIR * 6 * row.params * row.tokens >= top]
    place = min(at_top, key=lambda place: abs(np.log(above[place].params / best)))
    target = held[place]
    plain = fit_law(table, Options(form=every.form, estimator="huber", draws=_DRAWS)).document
    alike = held_against(plain, above[place])
    found = baselines(as_runs(table), target) if every.form == "chinchilla" else {}
    if package and found:
        found["chinchilla"] = by_package(as_runs(table), target)
    return Proof(every, share, len(small), largest(small), document, held, target, alike, found)


def held_against(document: LawDocument, row: RunRow) -> Held:
    """What the law says of a run, by the planner's own intervals, and with the back-test's part left out."""
    plain = document.law.model_copy(update={"missed_per_decade": None})
    predicted = float(_loss(document, row, 0))
    intervals, before = (
        {
            level: laws.percentiles(
                _loss(document, row, 1),
                predicted,
                level,
                laws.widening(law, row.params, row.tokens),
                laws.loss_spread(law, row.params, row.tokens),
            )
            for level in LEVELS
        }
        for law in (document.law, plain)
    )
    return Held(row.params, row.tokens, row.loss, predicted, intervals, before)


def _loss(document: LawDocument, row: RunRow, drawn: int) -> Array:
    """The loss, or draws of it; repeated tokens count by the law's own constants of repetition."""
    surface = laws.draws(document.law) if drawn else laws.surface(document.law)
    assert surface is not None
    constants = document.repetition
    if constants is None or row.unique_tokens is None:
        return np.asarray(surface.loss(row.params, row.tokens))
    count, generator = np.size(surface.A) if drawn else 0, np.random.default_rng(0)
    decays = (
        drawn_decay(constants.repeated_tokens, constants.repeated_tokens_interval, count, generator),
        drawn_decay(constants.excess_params, constants.excess_params_interval, count, generator),
    )
    worth = Repetition(np.ones(1), np.array([min(row.unique_tokens, row.tokens)]), *decays, surface)
    return np.asarray(surface.loss(worth.params(row.params), worth.tokens(row.tokens)))


def baselines(runs: Runs, target: Held) -> dict[str, float]:
    """The target's loss by power laws of compute through the frontier."""
    compute = 6 * target.params * target.tokens
    return {
        "power": power_law(*frontier(runs), irreducible=False)(compute),
        "power + E": power_law(*frontier(runs), irreducible=True)(compute),
    }


def frontier(runs: Runs) -> tuple[Array, Array]:
    """C and loss of the runs that no run of less or equal compute beats, in order of compute."""
    order = np.lexsort((runs.loss, runs.compute))
    compute, loss = runs.compute[order], runs.loss[order]
    best = loss < np.concatenate([[np.inf], np.minimum.accumulate(loss)[:-1]])
    return compute[best], loss[best]


def power_law(compute: Array, loss: Array, *, irreducible: bool) -> Predictor:
    """Relative least squares of E + A·C^-b over a grid of b, and a finer one around its best; E is 0, or at least 0."""
    middle = np.log(compute).mean()
    x = np.log(compute) - middle
    best = min(_powers(x, loss, _EXPONENTS, irreducible=irreducible))[-1]
    _, A, E, exponent = min(_powers(x, loss, best * np.geomspace(0.98, 1.02, 81), irreducible=irreducible))
    return lambda flops: float(E + A * np.exp(-exponent * (np.log(flops) - middle)))


def _powers(x: Array, loss: Array, exponents: Array, *, irreducible: bool) -> list[tuple[float, float, float, float]]:
    """Sum of squares, A, E and b for each b."""
    found = []
    for exponent in exponents:
        features = np.stack([np.exp(-exponent * x), np.ones_like(x)], axis=1) / loss[:, None]
        A, E = np.linalg.lstsq(features, np.ones(len(loss)), rcond=None)[0] if irreducible else (0.0, -1.0)
        if E < 0:
            A, E = features[:, 0].sum() / (features[:, 0] ** 2).sum(), 0.0
        found.append((float(np.sum((features @ [A, E] - 1) ** 2)), A, E, exponent))
    return found


def by_package(runs: Runs, target: Held) -> float:
    """The target's loss by the PyPI package with its own default loss."""
    from tests.benchmarks.fit_speed import packaged

    surface = packaged(runs, _PACKAGE_GRID, {})
    return float(surface.loss(target.params, target.tokens))


def optima(folder: Path) -> dict[str, tuple[float, float]]:
    """C and compute-optimal N at the largest budget, as published: Porian's own by series, Hoffmann's approach 2."""
    found: dict[str, tuple[float, float]] = {}
    with (folder / "porian/porian_optimal_pairs.csv").open(encoding="utf-8") as text:
        for row in csv.DictReader(text):
            name = "{dataset}, {hparams} hparams, {warmup} warm-up, {decay} decay, N {param_count}".format(**row)
            if row["n"]:
                found[name] = max(found.get(name, (0.0, 0.0)), (float(row["flops"]), float(row["n"])))
    with (folder / "chinchilla_tables/table_A3_approach2_3.csv").open(encoding="utf-8") as text:
        rows = [(float(row["flops_a2"]), float(row["params"])) for row in csv.DictReader(text)]
    return found | {"MassiveText": max(row for row in rows if row[0] < _ABOVE_CHINCHILLA)}


def rule_of_thumb(compute: float) -> float:
    """N by 20 tokens a parameter: C = 6·N·20N."""
    return float(np.sqrt(compute / 6 / CHINCHILLA_RATIO))
