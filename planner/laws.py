"""Scaling laws: loss, compute-optimal N and D, and how sure the law is of them.

L(N, D) = E + A/N^α + B/D^β with C = 6ND (Hoffmann et al. 2022, eq. 2 and 4).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sixnd.specs import catalog
from sixnd.specs.catalog import Law

Array = NDArray[np.float64]

_DRAWS, _SEED = 4000, 20221129
_Z80 = 1.2815515655446004
"""Half-width of a normal 80 % interval in standard deviations."""
WIDENING_PER_DECADE = 0.5
"""Outside the fitted range an interval widens by this share of itself for each decade: our rule, not a fit."""


@dataclass(frozen=True)
class Allocation:
    """Parameters and tokens that a law would choose for a compute budget, and the loss there (nats per token)."""

    params: float
    tokens: float
    loss: float


@dataclass(frozen=True)
class Interval:
    """An 80 % interval."""

    low: float
    high: float


def loss(law: Law, params: float, tokens: float) -> float:
    """L(N, D), nats per token (Hoffmann et al. 2022, eq. 2)."""
    return float(law.E + law.A / params**law.alpha + law.B / tokens**law.beta)


def optimum(law: Law, compute: float) -> Allocation:
    """Compute-optimal N and D in closed form (Hoffmann et al. 2022, eq. 4); ``compute`` in FLOPs."""
    params = float(_optimal_params(law.A, law.B, law.alpha, law.beta, compute))
    tokens = compute / 6 / params
    return Allocation(params, tokens, loss(law, params, tokens))


def _optimal_params(A: float | Array, B: float | Array, alpha: float | Array, beta: float | Array, C: float) -> Array:
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    return np.asarray(G * (C / 6) ** (beta / (alpha + beta)))


def decades_outside(law: Law, params: float, tokens: float) -> float:
    """How many decades N, D or C = 6ND lie outside the range the law was fitted on (the furthest counts)."""
    fitted = (
        (params, law.fitted_params),
        (tokens, law.fitted_tokens),
        (6 * params * tokens, law.fitted_compute),
    )
    return max(_outside(value, bounds[0], bounds[1]) for value, bounds in fitted)


def _outside(value: float, low: float, high: float) -> float:
    return float(max(0.0, np.log10(low / value), np.log10(value / high)))


def loss_interval(law_name: str, params: float, tokens: float) -> Interval:
    """80 % interval of the loss at N and D: the fit's covariance and its residuals, wider outside the fitted range.

    Standard deviations of log loss are multiplied by 1 + 0.5 × decades outside (``WIDENING_PER_DECADE``).
    """
    law = catalog.law(law_name)
    A, B, E, alpha, beta = _draws(law_name)
    logs = np.log(E + A / params**alpha + B / tokens**beta)
    center = np.log(loss(law, params, tokens))
    spread = float(np.hypot(np.std(logs), law.residual_sd)) * _widening(law, params, tokens)
    return Interval(float(np.exp(center - _Z80 * spread)), float(np.exp(center + _Z80 * spread)))


def params_interval(law_name: str, compute: float) -> Interval:
    """80 % interval of the compute-optimal N, wider outside the fitted range by the same rule."""
    law = catalog.law(law_name)
    A, B, _, alpha, beta = _draws(law_name)
    best = optimum(law, compute)
    spread = float(np.std(np.log(_optimal_params(A, B, alpha, beta, compute))))
    spread *= _widening(law, best.params, best.tokens)
    return Interval(best.params * float(np.exp(-_Z80 * spread)), best.params * float(np.exp(_Z80 * spread)))


def _widening(law: Law, params: float, tokens: float) -> float:
    return 1 + WIDENING_PER_DECADE * decades_outside(law, params, tokens)


@lru_cache(maxsize=8)
def _draws(law_name: str) -> Array:
    """Draws of (A, B, E, α, β) around the law from its covariance; the seed is fixed, so a plan repeats."""
    law = catalog.law(law_name)
    mean = np.array([np.log(law.A), np.log(law.B), np.log(law.E), law.alpha, law.beta])
    root = np.linalg.cholesky(np.array(law.log_covariance))
    draws = mean + np.random.default_rng(_SEED).standard_normal((_DRAWS, 5)) @ root.T
    draws[:, :3] = np.exp(draws[:, :3])
    return np.ascontiguousarray(draws.T)
