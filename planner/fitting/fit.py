"""From a table of runs to a law document: the fit, how sure it is, and the other approaches beside it."""

from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np

from sixnd.planner.fitting.approaches import beside
from sixnd.planner.fitting.back_test import Split, back_tests, missed_per_decade
from sixnd.planner.fitting.data_constrained import fit_repetition
from sixnd.planner.fitting.downstream import fit_error
from sixnd.planner.fitting.frontier import frontier
from sixnd.planner.fitting.polish import Mask
from sixnd.planner.fitting.resample import leave_one_out
from sixnd.planner.fitting.runs import Array, Runs
from sixnd.planner.fitting.surface import DELTA, Estimator, SurfaceFit, fit_surface
from sixnd.planner.fitting.uncertainty import draws, interval_method, outliers, told_sd, weaknesses
from sixnd.planner.flop_conventions import off_6nd
from sixnd.planner.laws import surface
from sixnd.specs.errors import SixndError, UnfitRunsError
from sixnd.specs.law_document import Approach, BackTest, Convergence, Fit, FittedRun, Form, Frontier, LawDocument, Task
from sixnd.specs.laws import RepetitionConstants, SurfaceLaw, check_optimum
from sixnd.specs.run_table import RunTable

_KEPT_DRAWS = 400
_FEW_OFF = 5
_FRONTIER_POINTS, _DECADES_BEYOND = 25, 2.0


@dataclass(frozen=True)
class Options:
    """How to fit."""

    name: str = "my-law"
    form: Form = "chinchilla"
    estimator: Estimator = "frontier"
    """Runs of the forms over-training and data-constrained lie far from the frontier by intent: they count alike."""
    delta: float = DELTA
    draws: int = 4000
    seed: int = 0


@dataclass(frozen=True)
class Fitted:
    """A law document, and all draws behind it: θ (R, 5), or (R, 6) with ln γ."""

    document: LawDocument
    theta: Array

    def at(self, computes: list[float]) -> list[Frontier]:
        """The compute-optimal allocation for each budget, FLOPs, with 95 % intervals."""
        return frontier(surface(self.document.law), self.theta, np.array(computes))


def fit_law(table: RunTable, options: Options) -> Fitted:
    """Fit a law to runs, with draws, leave-one-out, convergence and every weakness told.

    Raises ``UnfitRunsError`` where the form asks for what the runs do not have.
    """
    runs = as_runs(table)
    once = _first_epoch(table, runs) if options.form == "data-constrained" else np.full(len(runs), True)
    base = runs.picked(once)
    tied = options.form == "over-training"
    far = options.form in ("over-training", "data-constrained") and options.estimator == "frontier"
    estimator = "huber" if far else options.estimator
    fit = fit_surface(base, delta=options.delta, tied=tied, estimator=estimator, thorough=True)
    theta = draws(base, fit, count=options.draws, seed=options.seed)
    left_out = leave_one_out(base, fit)[1]
    splits = back_tests(base, fit, seed=options.seed)
    kept = replace(table, rows=[row for row, first in zip(table.rows, once, strict=True) if first])
    repetition, notes = _repetition(table, runs, fit, options) if options.form == "data-constrained" else (None, [])
    document = LawDocument(
        version="law/1",
        name=options.name,
        sixnd_version=version("sixnd"),
        law=_law(base, fit, theta, table, told_sd(base, fit, left_out), splits),
        repetition=repetition,
        task=_task(table, options) if options.form == "downstream" else None,
        fit=_fit(kept, base, fit, theta, options, notes, left_out, splits),
    )
    return Fitted(document, theta)


def as_runs(table: RunTable) -> Runs:
    """The table's runs as arrays."""
    columns = [[getattr(row, name) for row in table.rows] for name in ("params", "tokens", "loss")]
    return Runs(*(np.array(column, dtype=float) for column in columns))


def _law(runs: Runs, fit: SurfaceFit, theta: Array, table: RunTable, spread: float, splits: list[Split]) -> SurfaceLaw:
    s, count = fit.surface, len(theta)
    try:
        check_optimum(float(s.A), float(s.B), float(s.alpha), float(s.beta))
    except SixndError as error:
        raise UnfitRunsError(f"these runs tell no law: {error.said}", "fit runs of more sizes and tokens") from error
    return SurfaceLaw(
        form="chinchilla",
        description=f"fitted to {len(runs)} runs of {table.data}",
        counts="N, D and C as the runs were given; C = 6ND",
        weakness="holds for the corpus, tokenizer and recipe of its runs; see the warnings of its fit",
        source=f"sixnd fit, SHA-256 of the data {table.sha256[:16]}",
        E=float(s.E),
        A=float(s.A),
        B=float(s.B),
        alpha=float(s.alpha),
        beta=float(s.beta),
        gamma=float(s.gamma),
        log_covariance=_rounded(np.cov(theta[:, :5], rowvar=False)) if count else None,
        draws=_rounded(theta[:_KEPT_DRAWS]) if count else None,
        residual_sd=spread or None,
        missed_per_decade=missed_per_decade(splits) or None,
        fitted_params=_range(runs.params),
        fitted_tokens=_range(runs.tokens),
        fitted_compute=_range(runs.compute),
        covariance_source=interval_method(runs) if count else None,
    )


def _bent(splits: list[Split]) -> list[str]:
    missed = missed_per_decade(splits)
    if not missed:
        return []
    worst = max(splits, key=lambda one: one.median_error)
    return [
        f"the form bends: fitted to the {worst.fitted} runs up to 1/{1 / worst.share:.0f} of the largest compute, it "
        f"misses the larger ones by {worst.median_error:.1%} (median); intervals beyond the runs are wider by "
        f"{missed:.2%} of the loss a decade"
    ]


def _at_odds(theta: Array, approaches: list[Approach]) -> list[str]:
    """Approaches whose exponent of N* lies outside the draws' 95 %: the sides of the valley may tell another one."""
    if not len(theta):
        return []
    low, high = (float(end) for end in np.quantile(theta[:, 4] / (theta[:, 3] + theta[:, 4]), [0.025, 0.975]))
    return [
        f"approach {one.approach} has N* grow as C^{one.exponent:.2f} ({one.exponent_interval[0]:.2f} to "
        f"{one.exponent_interval[1]:.2f}), the surface as C^{low:.2f} to C^{high:.2f} (95 %): where a plan goes far "
        "beyond the runs, hold both against each other; --estimator huber counts all runs alike"
        for one in approaches
        if not low <= one.exponent <= high
    ]


def _told(splits: list[Split]) -> list[BackTest]:
    return [
        BackTest(
            share=one.share,
            fitted=one.fitted,
            predicted=len(one.errors),
            median_error=one.median_error,
            inside=one.inside,
        )
        for one in splits
    ]


def _range(values: Array) -> list[float]:
    return [float(values.min()), float(values.max())]


def _rounded(rows: Array) -> list[list[float]]:
    """Seven digits: more than any draw is sure of."""
    return [[float(f"{value:.7g}") for value in row] for row in rows]


def _fit(
    table: RunTable,
    runs: Runs,
    fit: SurfaceFit,
    theta: Array,
    options: Options,
    notes: list[str],
    left_out: Array,
    splits: list[Split],
) -> Fit:
    far = set(outliers(runs, fit))
    compute = np.array([row.compute for row in table.rows])
    others = beside(runs, compute, [row.curve for row in table.rows], fit.surface)
    budgets = np.geomspace(runs.compute.min(), runs.compute.max() * 10**_DECADES_BEYOND, _FRONTIER_POINTS)
    return Fit(
        form=options.form,
        data=table.data,
        data_sha256=table.sha256,
        estimator=fit.estimator,
        delta=options.delta,
        objective=fit.objective,
        leave_one_out_error=float(np.median(np.abs(left_out / runs.loss - 1))),
        back_tests=_told(splits),
        convergence=Convergence(
            starts=fit.starts, reached=fit.reached, best_other=fit.best_other, gradient=fit.gradient
        ),
        interval_method=interval_method(runs) if len(theta) else "none: no run is left to judge the fit by",
        warnings=[
            *table.warnings,
            *_off_6nd(table, runs),
            *(f"{table.rows[i].where} is an outlier: {_off(fit, i)} from the fit; it stays in" for i in sorted(far)),
            *weaknesses(runs, fit, theta),
            *_bent(splits),
            *_at_odds(theta, others.approaches),
            *notes,
            *others.notes,
        ],
        runs=[
            FittedRun(
                row=row.where,
                params=row.params,
                tokens=row.tokens,
                loss=row.loss,
                predicted=float(np.exp(np.log(row.loss) + fit.residuals[i])),
                left_out=float(left_out[i]),
                outlier=i in far,
            )
            for i, row in enumerate(table.rows)
        ],
        refused=table.refused,
        frontier=frontier(fit.surface, theta, budgets),
        parabolas=others.parabolas,
        approaches=others.approaches,
    )


def _off_6nd(table: RunTable, runs: Runs) -> list[str]:
    """Runs whose stated compute is not 6ND: each by itself where they are few, else the convention they share."""
    off = off_6nd(runs.params, runs.tokens, np.array([row.compute for row in table.rows]))
    if len(off) > _FEW_OFF:
        return [
            f"{len(off)} of {len(runs)} runs state another compute than 6ND, the first {off[0]}: another convention?"
        ]
    return [f"{table.rows[one.row].where} {one}: a slip, or another convention" for one in off]


def _off(fit: SurfaceFit, row: int) -> str:
    return f"{-100 * np.expm1(fit.residuals[row]):+.1f} %"


def _first_epoch(table: RunTable, runs: Runs) -> Mask:
    """Runs that read nothing twice: the surface is fitted to them, repetition to all."""
    if any(row.unique_tokens is None for row in table.rows):
        raise UnfitRunsError(
            "a data-constrained law needs each run's unique tokens", "name their column: --columns U=…"
        )
    once = runs.tokens <= _unique(table) * 1.001
    if once.sum() < 6:
        raise UnfitRunsError(
            f"{once.sum()} runs read nothing twice", "add some: a data-constrained law needs six for its surface"
        )
    return np.asarray(once)


def _unique(table: RunTable) -> Array:
    return np.array([row.unique_tokens for row in table.rows], dtype=float)


def _repetition(
    table: RunTable, runs: Runs, fit: SurfaceFit, options: Options
) -> tuple[RepetitionConstants, list[str]]:
    found = fit_repetition(fit.surface, runs, _unique(table), delta=options.delta, seed=options.seed)
    tokens, params = found.intervals(0.95)
    if not np.all(np.isfinite([*tokens, *params])):
        raise UnfitRunsError(
            "these runs do not tell what repeated tokens are worth: the intervals of its constants have no end",
            "add runs that read their text more often",
        )
    constants = RepetitionConstants(
        repeated_tokens=found.repeated_tokens,
        excess_params=found.excess_params,
        repeated_tokens_interval=list(tokens),
        excess_params_interval=list(params),
    )
    return constants, list(found.notes)


def _task(table: RunTable, options: Options) -> Task:
    if any(row.metric is None for row in table.rows):
        raise UnfitRunsError("a downstream law needs each run's task error", "name its column: --columns metric=…")
    loss = np.array([row.loss for row in table.rows])
    error = np.array([row.metric for row in table.rows], dtype=float)
    found = fit_error(loss, error, [row.where for row in table.rows], seed=options.seed)
    return Task(
        worst=found.curve.worst,
        scale=found.curve.scale,
        rate=found.curve.rate,
        residual_sd=found.residual_sd,
        loss_range=list(found.loss_range),
        draws=[[c.worst, c.scale, c.rate] for c in found.draws],
        notes=list(found.notes),
    )
