"""Scaling laws: the loss of N and D, the compute-optimal N and D, and how sure a law is of them.

A loss surface is L(N, D) = E + (A/N^α + B/D^β)^γ (Busbridge et al. 2025, arXiv:2502.08606, for supervised training);
with γ = 1 it is that of Hoffmann et al. 2022, eq. 2. Its uncertainty is a covariance of (ln A, ln B, ln E, α, β), or
draws of these and ln γ; every interval is a percentile over draws.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from sixnd.specs.laws import FLATTEST, LARGEST_LOG, LawEntry, RepetitionLaw, SurfaceLaw

Array = NDArray[np.float64]
Numbers = float | Array

_DRAWS, _SEED = 4000, 20221129
CHINCHILLA_RATIO = 20.0
"""Tokens a parameter of the rule of thumb by which over-training is told (Hoffmann et al. 2022, Table 3)."""
WIDENING_PER_DECADE = 0.5
"""Outside the fitted range an interval widens by this share of itself for each decade: our rule, not a fit."""


@dataclass(frozen=True)
class Interval:
    """Low and high end."""

    low: float
    high: float


@dataclass(frozen=True)
class Surface:
    """Constants of a loss surface: numbers, or arrays of one value a draw."""

    E: Numbers
    A: Numbers
    B: Numbers
    alpha: Numbers
    beta: Numbers
    gamma: Numbers = 1.0

    def loss(self, params: Numbers, tokens: Numbers) -> Numbers:
        """L(N, D), nats per token."""
        return self.E + (self.A * params**-self.alpha + self.B * tokens**-self.beta) ** self.gamma

    def optimal_params(self, compute: Numbers) -> Numbers:
        """Compute-optimal N for C = 6ND in FLOPs, in closed form (Hoffmann et al. 2022, eq. 4); γ does not move it."""
        log_g = np.log(self.alpha * self.A / (self.beta * self.B)) / (self.alpha + self.beta)
        log_N = log_g + self.beta / (self.alpha + self.beta) * np.log(np.asarray(compute) / 6)
        found: Numbers = np.exp(np.clip(log_N, -LARGEST_LOG, LARGEST_LOG))
        return found

    def mirrored(self) -> "Surface":
        """N and D exchanged."""
        return Surface(self.E, self.B, self.A, self.beta, self.alpha, self.gamma)


@dataclass(frozen=True)
class Allocation:
    """Parameters and tokens for a compute budget, and the loss there (nats per token)."""

    params: float
    tokens: float
    loss: float


def surface(law: SurfaceLaw | RepetitionLaw) -> Surface:
    """The law's own constants."""
    return Surface(law.E, law.A, law.B, law.alpha, law.beta, law.gamma if isinstance(law, SurfaceLaw) else 1.0)


def loss(law: SurfaceLaw, params: float, tokens: float) -> float:
    """L(N, D), nats per token."""
    return float(surface(law).loss(params, tokens))


def optimum(law: SurfaceLaw, compute: float) -> Allocation:
    """Compute-optimal N and D; ``compute`` in FLOPs."""
    params = float(surface(law).optimal_params(compute))
    tokens = compute / 6 / params
    return Allocation(params, tokens, loss(law, params, tokens))


def decades_outside(law: LawEntry, params: float, tokens: float) -> float:
    """How many decades N, D or C = 6ND lie outside the range the law was fitted on (the furthest counts)."""
    fitted = (
        (params, law.fitted_params),
        (tokens, law.fitted_tokens),
        (6 * params * tokens, law.fitted_compute),
    )
    return max(_outside(value, bounds) for value, bounds in fitted)


def _outside(value: float, bounds: list[float] | None) -> float:
    if bounds is None:
        return 0.0
    return float(max(0.0, np.log10(bounds[0] / value), np.log10(value / bounds[1])))


def draws(law: SurfaceLaw) -> Surface | None:
    """Draws of the constants around the law: its own, or 4,000 from its covariance; none where it has neither.

    The seed is fixed: a plan repeats.
    """
    if law.draws is not None:
        return _surfaces(np.array(law.draws))
    if law.log_covariance is None:
        return None
    mean = np.array([np.log(law.A), np.log(law.B), np.log(law.E), law.alpha, law.beta])
    normal = np.random.default_rng(_SEED).standard_normal((_DRAWS, 5))
    return _surfaces(mean + normal @ _root(np.array(law.log_covariance)).T)


def _surfaces(rows: Array) -> Surface:
    log_A, log_B, log_E, alpha, beta, *log_gamma = rows.T
    flat = np.maximum(alpha, FLATTEST), np.maximum(beta, FLATTEST)
    return Surface(np.exp(log_E), np.exp(log_A), np.exp(log_B), *flat, *np.exp(log_gamma))


def _root(covariance: Array) -> Array:
    """A matrix whose product with its transpose is the covariance, which may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def percentiles(
    values: Numbers, center: float, level: float, widening: float = 1.0, extra_log_sd: float = 0.0
) -> Interval:
    """The interval that holds ``level`` of positive ``values``, by logarithms around ``center``.

    ``widening`` multiplies its half-widths; ``extra_log_sd`` adds an independent spread in quadrature.
    """
    logs = np.log(np.asarray(values)) - np.log(center)
    low, high = np.quantile(logs, [(1 - level) / 2, (1 + level) / 2])
    half = NormalDist().inv_cdf((1 + level) / 2) * extra_log_sd
    down, up = np.hypot(min(low, 0.0), half), np.hypot(max(high, 0.0), half)
    return Interval(float(center * np.exp(-widening * down)), float(center * np.exp(widening * up)))


def widening(law: LawEntry, params: float, tokens: float) -> float:
    """How many times an interval is widened at N and D: 1 inside the fitted range, 0.5 more for each decade outside."""
    return 1 + WIDENING_PER_DECADE * decades_outside(law, params, tokens)


def loss_spread(law: SurfaceLaw, params: float, tokens: float) -> float:
    """Standard deviation of log loss of a run around the law, beside its draws.

    Residuals, and beyond the fitted range what the law's form missed a decade when it was tested on its own runs.
    """
    missed = (law.missed_per_decade or 0.0) * decades_outside(law, params, tokens)
    return float(np.hypot(law.residual_sd or 0.0, missed))


def loss_interval(law: SurfaceLaw, params: float, tokens: float, level: float = 0.8) -> Interval | None:
    """Interval of the loss of a run at N and D: the fit's uncertainty and its residuals, wider outside its range."""
    drawn = draws(law)
    if drawn is None:
        return None
    wider, center = widening(law, params, tokens), loss(law, params, tokens)
    return percentiles(drawn.loss(params, tokens), center, level, wider, loss_spread(law, params, tokens))


def params_interval(law: SurfaceLaw, compute: float, level: float = 0.8) -> Interval | None:
    """Interval of the compute-optimal N, wider outside the fitted range by the same rule."""
    drawn = draws(law)
    if drawn is None:
        return None
    best = optimum(law, compute)
    return percentiles(drawn.optimal_params(compute), best.params, level, widening(law, best.params, best.tokens))
