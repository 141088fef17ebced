"""Approach 2 of Hoffmann et al. 2022 (§3.2): a parabola through each budget's runs, a power law through vertices."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sixnd.planner.fitting.power_law import PowerLaw, fit_power_law, lines
from sixnd.planner.fitting.runs import Array, Runs
from sixnd.specs.errors import UnfitRunsError

Rows = NDArray[np.intp]

_FEWEST = 3
_LONGEST = 3.0
"""A chain of neighbouring runs longer than so many tolerances is no budget but a spread of compute."""


@dataclass(frozen=True)
class Parabola:
    """One budget: L = loss + curvature · ln²(N / params) through its runs."""

    compute: float
    """Geometric mean of the runs' compute, FLOPs."""
    params: float
    """Where the parabola is lowest."""
    tokens: float
    """Tokens that the runs' compute leaves for that N."""
    loss: float
    """The lowest loss, nats per token."""
    curvature: float
    rows: tuple[int, ...]
    """The runs it goes through, as positions in what was given."""
    left_out: str = ""
    """Why its lowest point does not count; empty where it does."""


@dataclass(frozen=True)
class IsoflopFit:
    """Power laws through the lowest points of the parabolas."""

    parabolas: tuple[Parabola, ...]
    params: PowerLaw
    """N*(C)."""
    tokens: PowerLaw
    """D*(C)."""
    draws_refused: int
    """Resamples in which fewer than two budgets had a lowest point; they have no draw."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, in words."""
        return tuple(p.left_out for p in self.parabolas if p.left_out)


def fit_isoflops(
    runs: Runs,
    compute: Array | None = None,
    *,
    tolerance: float = 0.05,
    window: float = np.inf,
    count: int = 0,
    seed: int = 0,
) -> IsoflopFit:
    """Parabolas in ln N for each compute budget, and N*(C), D*(C) through their lowest points.

    ``compute`` is 6ND where absent. Runs belong to one budget as long as ln C between neighbours differs by no more
    than ``tolerance``. Only runs whose N is within a factor ``window`` of the budget's lowest run count: a parabola
    is a local picture, wrong over three decades of N. ``count`` resamples of the runs within each budget, by
    ``seed``, give intervals.

    Raises ``UnfitRunsError`` for fewer than two budgets whose parabola opens upwards and is lowest among the runs.
    """
    C = runs.compute if compute is None else np.asarray(compute, float)
    budgets = [_windowed(rows, runs, window) for rows in _budget_rows(C, tolerance)]
    parabolas = tuple(_parabola(rows, runs, C, _LONGEST * tolerance) for rows in budgets)
    kept = [p for p in parabolas if not p.left_out]
    if len(kept) < 2:
        reasons = "; ".join(p.left_out for p in parabolas if p.left_out) or "all runs share one budget"
        raise UnfitRunsError(
            f"approach 2 needs two budgets with a lowest point, got {len(kept)}: {reasons}",
            "add runs of sizes around the lowest",
        )
    compute_kept = np.array([p.compute for p in kept])
    drawn = _bootstrap([np.array(p.rows) for p in kept], runs, compute_kept, count, seed)
    n_law = fit_power_law(compute_kept, np.array([p.params for p in kept]))
    d_law = fit_power_law(compute_kept, np.array([p.tokens for p in kept]))
    return IsoflopFit(
        parabolas, replace(n_law, draws=drawn[:, :2]), replace(d_law, draws=drawn[:, 2:]), count - len(drawn)
    )


def _budget_rows(compute: Array, tolerance: float) -> list[Rows]:
    """Rows of each compute budget, by rising C: a budget ends where ln C leaps by more than ``tolerance``."""
    order = np.argsort(compute, kind="stable")
    leaps = np.flatnonzero(np.diff(np.log(compute[order])) > tolerance) + 1
    return [np.asarray(rows) for rows in np.split(order, leaps)]


def _windowed(rows: Rows, runs: Runs, window: float) -> Rows:
    center = runs.log_params[rows[np.argmin(runs.loss[rows])]]
    return np.asarray(rows[np.abs(runs.log_params[rows] - center) <= np.log(window)])


def _parabola(rows: Rows, runs: Runs, C: Array, longest: float) -> Parabola:
    compute = float(np.exp(np.mean(np.log(C[rows]))))
    places = tuple(int(row) for row in rows)
    why = _no_budget(runs.params[rows], C[rows], compute, longest)
    if why:
        return Parabola(compute, np.nan, np.nan, np.nan, np.nan, places, why)
    x = runs.log_params[rows]
    center, bottom, curvature = (float(v[0]) for v in _vertices(x, runs.loss[rows], np.ones((1, rows.size))))
    with np.errstate(over="ignore", invalid="ignore"):  # a straight line's vertex lies at infinity
        params, tokens = float(np.exp(center)), float(np.exp(_tokens_line(runs, rows) @ [1.0, center]))
    why = _no_lowest(runs.params[rows], params, curvature, compute)
    return Parabola(compute, params, tokens, bottom, curvature, places, why)


def _no_budget(N: Array, C: Array, compute: float, longest: float) -> str:
    sizes = np.unique(N).size
    if sizes < _FEWEST:
        return f"the budget of {compute:.3g} FLOPs has {sizes} model size{'s' * (sizes > 1)}; a parabola needs three"
    if np.log(C.max() / C.min()) > longest:
        return f"the runs from {C.min():.3g} to {C.max():.3g} FLOPs share no one budget"
    return ""


def _no_lowest(N: Array, lowest: float, curvature: float, compute: float) -> str:
    if not curvature > 0:
        return f"at {compute:.3g} FLOPs the parabola opens downwards: its runs show no best size"
    if not N.min() <= lowest <= N.max():
        side = "below" if lowest < N.min() else "above"
        return f"at {compute:.3g} FLOPs the lowest point, N = {lowest:.3g}, lies {side} every run of the budget"
    return ""


def _tokens_line(runs: Runs, rows: Rows) -> Array:
    """Ln D as a line in ln N over a budget's runs: (a, b)."""
    return np.asarray(lines(runs.log_params[rows], runs.log_tokens[rows], np.ones((1, rows.size)))[0])


def _vertices(x: Array, y: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Vertex, value there and curvature of weighted parabolas y(x), one for each row of weights; NaN where singular."""
    middle, half = (x.min() + x.max()) / 2, np.ptp(x) / 2
    z = (x - middle) / half
    powers = z ** np.arange(5)[:, None]
    moments = weights @ powers.T
    left = np.stack([moments[:, i : i + 3] for i in range(3)], axis=1)
    right = weights @ (powers[:3] * y).T
    same = np.unique(z, return_inverse=True)[1][:, None] == np.arange(z.size)
    singular = np.sum(weights @ same > 0, axis=1) < _FEWEST
    left[singular] = np.eye(3)
    c = np.linalg.solve(left, right[:, :, None])[:, :, 0]
    c[singular] = np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        vertex = -c[:, 1] / (2 * c[:, 2])
    return middle + half * vertex, c[:, 0] + c[:, 1] * vertex / 2, c[:, 2] / half**2


def _bootstrap(budgets: list[Rows], runs: Runs, compute: Array, count: int, seed: int) -> Array:
    """(r, 4): ln prefactor and exponent of N*, then of D*; resamples with fewer than two lowest points are dropped."""
    rng = np.random.default_rng(seed)
    n_star, d_star = np.empty((count, len(budgets))), np.empty((count, len(budgets)))
    for b, rows in enumerate(budgets):
        x = runs.log_params[rows]
        weights = rng.multinomial(rows.size, np.full(rows.size, 1 / rows.size), size=count).astype(float)
        vertex, _, curvature = _vertices(x, runs.loss[rows], weights)
        found = (curvature > 0) & (vertex >= x.min()) & (vertex <= x.max())
        n_star[:, b] = np.where(found, vertex, np.nan)
        intercept, slope = _tokens_line(runs, rows)
        d_star[:, b] = intercept + slope * n_star[:, b]
    found = np.isfinite(n_star)
    several = found.sum(axis=1) >= 2
    counted = found[several].astype(float)
    return np.hstack([lines(np.log(compute), np.nan_to_num(v[several]), counted) for v in (n_star, d_star)])
