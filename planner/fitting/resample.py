"""Other fits of the same runs: with some drawn twice and others not (bootstrap), or with one left out."""

import numpy as np

from sixnd.planner.fitting.polish import polish
from sixnd.planner.fitting.runs import Array, Runs
from sixnd.planner.fitting.surface import DELTA, TIED, SurfaceFit, as_surface

_CHUNK = 200
"""Problems polished at a time: few enough that their arrays stay in cache."""


def resamples(runs: int, count: int, seed: int) -> Array:
    """How often each run is drawn, (count, runs), for case resampling with replacement (Efron 1979)."""
    return np.random.default_rng(seed).multinomial(runs, np.full(runs, 1 / runs), size=count).astype(float)


def refit(runs: Runs, fit: SurfaceFit, weights: Array, log_loss: Array | None = None) -> Array:
    """θ under each row of weights (R, n), or of other losses (R, n), from the fit's own optimum.

    The weights multiply the fit's own.
    """
    basis, chunks = TIED if fit.tied else None, max(1, len(weights) // _CHUNK)
    losses = np.broadcast_to(runs.log_loss if log_loss is None else log_loss, weights.shape)
    found = []
    for w, loss in zip(np.array_split(weights, chunks), np.array_split(losses, chunks), strict=True):
        theta, w = np.repeat(fit.theta[None], len(w), axis=0), w * fit.weights
        for threshold in _thresholds(fit):
            theta = polish(runs, w, theta, threshold, basis, loss)[0]
        found.append(theta)
    return np.concatenate(found)


def _thresholds(fit: SurfaceFit) -> tuple[float, ...]:
    """The likelihood's own threshold is so small that an optimum holds its resamples fast: they stop well above it."""
    return (fit.delta,) if fit.scale is None else (DELTA, DELTA / 10)


def bootstrap(runs: Runs, fit: SurfaceFit, *, count: int = 4000, seed: int = 0, weights: Array | None = None) -> Array:
    """θ (R, 5 or 6) of case resamples of the runs, or of resamples given as how often each run is drawn (R, n)."""
    return refit(runs, fit, resamples(len(runs), count, seed) if weights is None else weights)


def leave_one_out(runs: Runs, fit: SurfaceFit) -> tuple[Array, Array]:
    """θ (n, 5) fitted without each run, and the loss (n,) it then predicts for that run."""
    thetas = refit(runs, fit, 1.0 - np.eye(len(runs)))
    return thetas, np.asarray(as_surface(thetas).loss(runs.params, runs.tokens))
