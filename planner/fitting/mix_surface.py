"""Loss as a function of the data mix: L_i(r) = c_i + exp(Σ_j t_ij r_j), fitted and minimised over the simplex.

This is the form of the data mixing laws (Ye et al. 2024, arXiv:2403.16952), with their k_i inside the exponent, since
weights sum to 1. It was chosen over a regression of log loss because the sum over validation texts is convex, so that
the best mix is one and is found exactly, and because it needs a constant a domain where interactions need one a pair.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_FLOORS = 48
_ZOOMS = 2
_NEAREST = 1e-3
"""Closest that a floor comes to the lowest loss, as a share of it."""
_RIDGE = 1e-10
_ITERATIONS, _BISECTIONS = 3000, 50


def fit_surface(weights: Array, losses: Array, counted: Array) -> tuple[Array, Array]:
    """Floors c (R,) and exponents t (R, M) by least squares of log loss, one fit a row of ``losses``.

    ``weights`` are (n, M) shares, ``losses`` (R, n) nats a token, ``counted`` (R, n) how often each run counts. For a
    given floor the exponents are linear in ln(L - c) (variable projection), so only the floor is searched for.
    """
    lowest = np.where(counted > 0, losses, np.inf).min(axis=1)
    low, high = np.full_like(lowest, np.log(_NEAREST)), np.zeros_like(lowest)
    for _ in range(1 + _ZOOMS):
        grid = np.linspace(low, high, _FLOORS)  # ln of the distance between floor and lowest loss, over the loss
        floors = lowest * (1 - np.exp(grid))
        found = [_exponents(weights, losses, counted, floor) for floor in floors]
        best = np.argmin([error for _, error in found], axis=0)
        step = (high - low) / (_FLOORS - 1)
        at = grid[best, np.arange(len(lowest))]
        low, high = np.maximum(at - step, np.log(_NEAREST)), np.minimum(at + step, 0.0)
    rows = np.arange(len(lowest))
    exponents = np.array([each for each, _ in found])
    return np.asarray(np.maximum(floors[best, rows], 0.0)), np.asarray(exponents[best, rows])


def _exponents(weights: Array, losses: Array, counted: Array, floor: Array) -> tuple[Array, Array]:
    """Exponents (R, M) at given floors (R,), and the sum of squares of log loss (R,)."""
    above = np.maximum(losses - floor[:, None], _NEAREST**2 * losses)
    scale = counted * (above / losses) ** 2  # so that residuals are those of log loss
    normal = np.einsum("rn,nj,nk->rjk", scale, weights, weights)
    trace = np.trace(normal, axis1=1, axis2=2)[:, None, None]
    normal = normal + _RIDGE * trace * np.eye(weights.shape[1])
    right = np.einsum("rn,nj->rj", scale * np.log(above), weights)
    found = np.linalg.solve(normal, right[..., None])[..., 0]
    missed = np.log(predict(floor, found, weights)) - np.log(losses)
    return found, np.asarray((counted * missed**2).sum(axis=1))


def predict(floors: Array, exponents: Array, weights: Array) -> Array:
    """Loss (R, n) of each fit at each mix (n, M)."""
    return np.asarray(floors[:, None] + np.exp(exponents @ weights.T))


def best_mix(exponents: Array, importance: Array, low: Array, high: Array) -> Array:
    """Weights (R, M) of the lowest importance-weighted loss on the simplex, each within its range.

    ``exponents`` are (R, T, M), ``importance`` (T,). The loss is convex, so accelerated projected gradient (Nesterov)
    finds the minimum.
    """
    middle = _projected(np.broadcast_to((low + high) / 2, exponents[:, 0].shape).copy(), low, high)
    bound = importance * np.exp(np.max(exponents, axis=2)) * (_centred(exponents) ** 2).sum(axis=2)
    size = 1.0 / np.maximum(bound.sum(axis=1), np.finfo(float).tiny)[:, None]
    current, ahead, momentum = middle, middle, 1.0
    for _ in range(_ITERATIONS):
        terms = importance * np.exp(np.einsum("rtm,rm->rt", exponents, ahead))
        slope = np.einsum("rt,rtm->rm", terms, _centred(exponents))
        following = _projected(ahead - size * slope, low, high)
        next_momentum = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = following + (momentum - 1) / next_momentum * (following - current)
        if np.abs(following - current).max() < 1e-9:
            return following
        current, momentum = following, next_momentum
    return current


def _centred(exponents: Array) -> Array:
    """Exponents less their mean over domains: on the simplex a constant changes no slope along it."""
    return np.asarray(exponents - exponents.mean(axis=2, keepdims=True))


def _projected(points: Array, low: Array, high: Array) -> Array:
    """The nearest points whose weights sum to 1, each in its range: clip(x - shift), the shift by bisection."""
    below = (points - high).min(axis=1, keepdims=True)
    above = (points - low).max(axis=1, keepdims=True)
    for _ in range(_BISECTIONS):
        shift = (below + above) / 2
        over = np.clip(points - shift, low, high).sum(axis=1, keepdims=True) > 1
        below, above = np.where(over, shift, below), np.where(over, above, shift)
    return np.asarray(np.clip(points - (below + above) / 2, low, high))
