"""Repeated data: the law of Muennighoff et al. 2023 (arXiv:2305.16264, eq. 16-20), its allocation and its fit.

L = E + A/N'^α + B/D'^β, where D' = U + U·R*·(1 − exp(−R/R*)) counts tokens repeated R = D/U − 1 times for less than
fresh ones, and N' likewise counts parameters beyond those that the U unique tokens would call for.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sixnd.planner.fitting.zoom import least
from sixnd.specs.errors import SixndError

Array = NDArray[np.float64]

_SIDE = 64
_FINE = 1e-3
"""A draw's ln R* is not told finer than this."""
_CLOSING = 0.7
"""A scan that would close in by less than this factor is done."""
_LEAST_R = 0.01
"""Below it a repetition is worth nothing that runs could show."""
_BEYOND = 100.0
"""Times the most repetitions of any run: from there on R* cannot be told from infinity."""
_WEAK = 10.0
"""A 95 % interval wider than this factor is called weak."""


@dataclass(frozen=True)
class DataConstrainedLaw:
    """The law's constants; losses in nats per token."""

    E: float
    A: float
    B: float
    alpha: float
    beta: float
    tokens_decay: float
    """R_D*: repetitions after which a repeated token is worth 1/e of a fresh one."""
    params_decay: float
    """R_N*: likewise for parameters beyond what the unique tokens call for."""


@dataclass(frozen=True)
class Worth:
    """What the repetitions of a run are worth."""

    epochs: float
    effective_tokens: float
    """D': as many fresh tokens would do as much."""
    next_token: float
    """One more repeated token, in fresh ones: exp(−R/R*)."""
    loss: float
    fresh_loss: float
    """Of the same run if all its tokens were unique."""


@dataclass(frozen=True)
class RepeatedAllocation:
    """The least loss that a compute budget and so many unique tokens reach."""

    params: float
    tokens: float
    epochs: float
    loss: float


@dataclass(frozen=True)
class RepetitionFit:
    """R_D* and R_N* of runs, the other constants given."""

    law: DataConstrainedLaw
    objective: float
    """Sum of Huber losses of ln L."""
    draws: Array
    """(r, 2): bootstrapped R_D*, R_N*."""
    infinite: tuple[float, float]
    """From these R_D*, R_N* on, the runs cannot tell them from infinity; the search ends there."""

    def intervals(self, level: float = 0.95) -> tuple[tuple[float, float], tuple[float, float]]:
        """Percentile intervals of R_D* and R_N*; ``inf`` where the runs leave them open."""
        low, high = np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
        high = np.where(high >= 0.99 * np.array(self.infinite), np.inf, high)
        return (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))

    @property
    def notes(self) -> tuple[str, ...]:
        """Weak identification, in words."""
        told = zip(("R_D*", "R_N*"), self.intervals(), strict=True)
        return tuple(f"{name} is weakly identified: 95 % {_words(*ends)}" for name, ends in told if _weak(*ends))


def effective_tokens(law: DataConstrainedLaw, tokens: Array, unique: Array) -> Array:
    """D' of D tokens of which U are unique (eq. 16); U beyond D counts as D."""
    return _effective(tokens, np.minimum(unique, tokens), law.tokens_decay)


def effective_params(law: DataConstrainedLaw, params: Array, unique: Array) -> Array:
    """N' of N parameters trained on U unique tokens (eq. 17): those beyond the optimum for U count for less."""
    return _effective(params, np.minimum(params, called_for(law, unique)), law.params_decay)


def called_for(law: DataConstrainedLaw, unique: Array) -> Array:
    """N that is compute-optimal for U fresh tokens: G·(G·U)^(β/α)."""
    G = (law.alpha * law.A / (law.beta * law.B)) ** (1 / (law.alpha + law.beta))
    return np.asarray(G * (G * np.asarray(unique)) ** (law.beta / law.alpha))


def repeated_loss(law: DataConstrainedLaw, params: Array, tokens: Array, unique: Array) -> Array:
    """L(N, D, U), nats per token (eq. 18); U is the unique tokens at hand, of which a run uses at most D."""
    used = np.minimum(unique, tokens)
    n, d = effective_params(law, params, used), effective_tokens(law, tokens, used)
    return np.asarray(law.E + law.A / n**law.alpha + law.B / d**law.beta)


def loss_floor(law: DataConstrainedLaw, unique: float) -> float:
    """What no compute goes below with U unique tokens: R_D and R_N without end."""
    n, d = float(called_for(law, np.array(unique))) * (1 + law.params_decay), unique * (1 + law.tokens_decay)
    return float(law.E + law.A / n**law.alpha + law.B / d**law.beta)


def worth(law: DataConstrainedLaw, params: float, tokens: float, unique: float) -> Worth:
    """What repeating U unique tokens up to D tokens is worth to N parameters."""
    epochs = max(1.0, tokens / unique)
    n, d, u = np.array(params), np.array(tokens), np.array(unique)
    return Worth(
        epochs=epochs,
        effective_tokens=float(effective_tokens(law, d, u)),
        next_token=float(np.exp(-(epochs - 1) / law.tokens_decay)),
        loss=float(repeated_loss(law, n, d, u)),
        fresh_loss=float(repeated_loss(law, n, d, d)),
    )


def least_repeated_loss(law: DataConstrainedLaw, compute: float, unique: float) -> RepeatedAllocation:
    """N and D = C/6N of least loss for C FLOPs and U unique tokens.

    The search runs over six decades of N on either side of the optimum for fresh data. Where both decays have run
    out (``loss_floor``), many allocations tie to the last digit; the smallest model of them is taken.
    """
    G = (law.alpha * law.A / (law.beta * law.B)) ** (1 / (law.alpha + law.beta))
    middle = np.log(G * (compute / 6) ** (law.beta / (law.alpha + law.beta)))
    reach = 6 * np.log(10)

    def along(points: Array) -> Array:
        params = np.exp(points[:, 0])
        return repeated_loss(law, params, compute / 6 / params, np.array(unique))

    at, loss = least(along, np.array([middle - reach]), np.array([middle + reach]), points=2001)
    params = float(np.exp(at[0]))
    tokens = compute / 6 / params
    return RepeatedAllocation(params, tokens, max(1.0, tokens / unique), loss)


def fit_repetition(
    base: DataConstrainedLaw,
    params: Array,
    tokens: Array,
    unique: Array,
    loss: Array,
    *,
    delta: float = 1e-3,
    draws: int = 1000,
    seed: int = 0,
) -> RepetitionFit:
    """R_D* and R_N* of least Huber loss of ln L over runs with repeated data; all else as in ``base``.

    A scan over both on a logarithmic grid finds the deepest basin, then closes in on it; ``draws`` resamples of the
    runs are scanned all at once. Their spread leaves out how sure ``base`` itself is.

    Raises ``SixndError`` where no run repeats its data.
    """
    N, D, U, L = (np.asarray(values, float) for values in (params, tokens, unique, loss))
    most = float(np.max(D / np.minimum(U, D))) - 1
    if most <= 0:
        raise SixndError("no run repeats its data, so nothing shows what a repetition is worth")
    excess = max(1.0, float(np.max(N / called_for(base, np.minimum(U, D)))) - 1)
    infinite = (_BEYOND * most, _BEYOND * excess)
    low, high = np.log([_LEAST_R, _LEAST_R]), np.log(infinite)

    used = np.minimum(U, D)
    called = np.minimum(N, called_for(base, used))

    def errors(points: Array) -> Array:
        """Huber losses (m, n) of m pairs (ln R_D*, ln R_N*) on every run."""
        d, n = _effective(D, used, np.exp(points[:, :1])), _effective(N, called, np.exp(points[:, 1:]))
        return _huber(np.log((base.E + base.A / n**base.alpha + base.B / d**base.beta) / L), delta)

    at, objective = least(lambda points: errors(points).sum(axis=1), low, high, points=_SIDE)
    counts = np.random.default_rng(seed).multinomial(L.size, np.full(L.size, 1 / L.size), size=draws)
    return RepetitionFit(
        law=replace(base, tokens_decay=float(np.exp(at[0])), params_decay=float(np.exp(at[1]))),
        objective=objective,
        draws=np.exp(_scan(errors, counts.astype(float), low, high)),
        infinite=infinite,
    )


def _effective(amount: Array, base: Array, decay: Array | float) -> Array:
    """Base + base·R*·(1 − exp(−R/R*)) with R = amount / base − 1."""
    repeats = amount / base - 1
    return np.asarray(base * (1 - decay * np.expm1(-repeats / decay)))


def _huber(residuals: Array, delta: float) -> Array:
    size = np.abs(residuals)
    return np.where(size < delta, size**2 / 2, delta * (size - delta / 2))


def _scan(errors: Callable[[Array], Array], counts: Array, low: Array, high: Array) -> Array:
    """The grid point of least error of every resample; the grid closes in on the box that holds them all."""
    while True:
        grid = _grid(low, high)
        found = grid[np.argmin(errors(grid) @ counts.T, axis=0)]
        cell = (high - low) / (_SIDE - 1)
        inner = np.maximum(low, found.min(axis=0) - 2 * cell), np.minimum(high, found.max(axis=0) + 2 * cell)
        if np.all((inner[1] - inner[0] > _CLOSING * (high - low)) | (cell < _FINE)):
            return np.asarray(found)
        low, high = inner


def _grid(low: Array, high: Array) -> Array:
    axes = np.meshgrid(*np.linspace(low, high, _SIDE).T, indexing="ij")
    return np.stack([axis.ravel() for axis in axes], axis=1)


def _weak(low: float, high: float) -> bool:
    return not high <= _WEAK * low


def _words(low: float, high: float) -> str:
    return f"from {low:.2g} to {'effectively infinite' if np.isinf(high) else format(high, '.2g')}"
