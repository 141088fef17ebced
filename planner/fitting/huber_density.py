"""The density exp(−huber_δ(r/s)) / (s·Z) of residuals r, whose scale s is free (Besiroglu et al. 2024)."""

import math

import numpy as np

from sixnd.planner.fitting.runs import Array


def best_scale(residuals: Array, delta: float) -> float:
    """The most likely scale: Σ min(|r|/s, δ)·|r|/s = n.

    With the k smallest |r| inside δ·s that is a quadratic in 1/s, whose root is taken for the one k it agrees with.
    """
    size = np.sort(np.abs(residuals))
    squares = np.concatenate([[0.0], np.cumsum(size**2)])
    beyond = size.sum() - np.concatenate([[0.0], np.cumsum(size)])
    linear = delta * beyond
    # 1/s of q·(1/s)² + l·(1/s) = n, in the form that keeps its digits where q is small or zero
    inverse = 2 * size.size / (linear + np.sqrt(linear**2 + 4 * squares * size.size))
    within = np.array([np.count_nonzero(size * each <= delta) for each in inverse])
    return float(1 / inverse[int(np.argmin(np.abs(within - np.arange(within.size))))])


def log_likelihood(residuals: Array, delta: float) -> float:
    """Log-likelihood of the residuals at their most likely scale."""
    scale = best_scale(residuals, delta)
    z = np.abs(residuals) / scale
    inside = np.minimum(z, delta)
    normaliser = math.sqrt(2 * math.pi) * math.erf(delta / math.sqrt(2)) + 2 * math.exp(-(delta**2) / 2) / delta
    return -float(np.sum(inside * (z - inside / 2))) - residuals.size * math.log(scale * normaliser)
