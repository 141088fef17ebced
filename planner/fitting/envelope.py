"""Approach 1 of Hoffmann et al. 2022 (§3.1): the least loss of training curves at each compute, and its power laws."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sixnd.planner.fitting.power_law import PowerLaw, fit_power_law, lines
from sixnd.planner.fitting.runs import Array, Runs
from sixnd.specs.errors import UnfitRunsError


@dataclass(frozen=True)
class Envelope:
    """The curve of least loss, point by point, and the laws through it."""

    compute: Array
    """FLOPs, evenly spaced in the logarithm; only where the best size lies between others."""
    best_params: Array
    best_tokens: Array
    best_loss: Array
    params: PowerLaw
    """N*(C)."""
    tokens: PowerLaw
    """D*(C)."""
    left_out: int
    """Computes where the smallest or the largest size that reaches them was best: the optimum may lie beyond."""
    draws_refused: int
    """Resamples of the curves whose envelope had fewer than two sizes; they have no draw."""


def fit_envelope(
    runs: Runs,
    curves: Sequence[object],
    compute: Array | None = None,
    *,
    points: int = 1500,
    count: int = 0,
    seed: int = 0,
) -> Envelope:
    """The least loss at ``points`` computes, each curve interpolated in ln C, and N*(C), D*(C) through the winners.

    ``curves`` names the curve (the training run) of each point; N is one number along it. ``count`` resamples of whole
    curves give draws. A point
    before the end of a schedule shows a higher loss than a run planned for it would (Hoffmann et al. 2022, §3.1):
    give several horizons a size, or only points after the learning rate has come down.

    Raises ``UnfitRunsError`` for a run of two sizes, or fewer than two sizes ever best between others.
    """
    C = np.log(runs.compute if compute is None else compute)
    each = _curves(curves, runs, C)
    grid = np.linspace(C.min(), C.max(), points)
    sizes = np.array([runs.log_params[rows[0]] for rows in each])
    losses = np.array([_along(C[rows], runs.loss[rows], grid) for rows in each])
    data = np.array([_along(C[rows], runs.log_tokens[rows], grid) for rows in each])
    winner, kept = _winners(sizes, losses)
    if np.unique(sizes[winner[kept]]).size < 2:
        raise UnfitRunsError(
            "approach 1 needs two sizes that are best between a smaller and a larger one", "add runs of more sizes"
        )
    where, at = winner[kept], np.flatnonzero(kept)
    laws = [fit_power_law(np.exp(grid[at]), np.exp(v)) for v in (sizes[where], data[where, at])]
    drawn = _bootstrap(sizes, losses, data, grid, count, seed)
    return Envelope(
        compute=np.exp(grid[at]),
        best_params=np.exp(sizes[where]),
        best_tokens=np.exp(data[where, at]),
        best_loss=losses[where, at],
        params=replace(laws[0], draws=drawn[:, :2]),
        tokens=replace(laws[1], draws=drawn[:, 2:]),
        left_out=int(np.sum(~kept & np.isfinite(losses).any(axis=0))),
        draws_refused=count - len(drawn),
    )


def _curves(curves: Sequence[object], runs: Runs, C: Array) -> list[NDArray[np.intp]]:
    """Rows of each curve by rising compute."""
    names = np.array([str(name) for name in curves])
    assert names.size == len(runs), "every point needs the name of its run"
    found = []
    for name in dict.fromkeys(names):
        rows = np.flatnonzero(names == name)
        sizes = np.unique(runs.params[rows]).size
        if sizes > 1:
            raise UnfitRunsError(f"run {name} has points of {sizes} sizes", "name its curves apart (column curve)")
        found.append(rows[np.argsort(C[rows], kind="stable")])
    return found


def _along(x: Array, y: Array, grid: Array) -> Array:
    """Y along one run; NaN where the run does not reach."""
    return np.asarray(np.interp(grid, x, y, left=np.nan, right=np.nan))


def _winners(sizes: Array, losses: Array) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The run of least loss at each compute, and whether a smaller and a larger size reach that compute too."""
    reached = np.isfinite(losses)
    winner = np.argmin(np.where(reached, losses, np.inf), axis=0)
    smallest = np.where(reached, sizes[:, None], np.inf).min(axis=0)
    largest = np.where(reached, sizes[:, None], -np.inf).max(axis=0)
    return winner, (sizes[winner] > smallest) & (sizes[winner] < largest)


def _bootstrap(sizes: Array, losses: Array, data: Array, grid: Array, count: int, seed: int) -> Array:
    """(r, 4): ln prefactor and exponent of N*, then of D*, from resampled runs."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        picked = np.unique(rng.integers(sizes.size, size=sizes.size))
        winner, kept = _winners(sizes[picked], losses[picked])
        where, at = picked[winner[kept]], np.flatnonzero(kept)
        if np.unique(sizes[where]).size < 2:
            continue
        ones = np.ones((1, at.size))
        found.append(np.hstack([lines(grid[at], v, ones)[0] for v in (sizes[where], data[where, at])]))
    return np.array(found).reshape(-1, 4)
