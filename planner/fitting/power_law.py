"""Power laws y = k·xᵖ by weighted least squares on the logarithms, with covariance and bootstrap."""

from dataclasses import dataclass, field
from typing import overload

import numpy as np
from numpy.typing import NDArray

from sixnd.specs.errors import UnfitRunsError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PowerLaw:
    """y = coefficient · x^exponent."""

    coefficient: float
    exponent: float
    covariance: tuple[tuple[float, float], tuple[float, float]]
    """Of (ln coefficient, exponent); NaN where two points leave nothing to judge it by."""
    residual_sd: float
    """Standard deviation of ln y around the law, weighted; NaN for two points."""
    r_squared: float
    """Of ln y, weighted."""
    draws: Array = field(default_factory=lambda: np.empty((0, 2)))
    """(r, 2): bootstrapped (ln coefficient, exponent), where there are any."""

    @overload
    def __call__(self, x: float) -> float: ...
    @overload
    def __call__(self, x: Array) -> Array: ...
    def __call__(self, x: float | Array) -> float | Array:
        """Y at ``x``."""
        return self.coefficient * x**self.exponent

    def exponent_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Percentile interval of the exponent from the draws."""
        return _percentiles(self._drawn()[:, 1], level)

    def interval(self, x: float, level: float = 0.95) -> tuple[float, float]:
        """Percentile interval of y at ``x`` from the draws."""
        draws = self._drawn()
        low, high = _percentiles(draws[:, 0] + draws[:, 1] * np.log(x), level)
        return float(np.exp(low)), float(np.exp(high))

    def _drawn(self) -> Array:
        if not len(self.draws):
            raise UnfitRunsError("this power law has no bootstrap draws to take an interval from", "fit it with draws")
        return self.draws


def fit_power_law(x: Array, y: Array, weights: Array | None = None, count: int = 0, seed: int = 0) -> PowerLaw:
    """The law through positive points, each weighted by ``weights`` (an inverse variance of ln y; equal if none).

    Weights count relative to each other: the covariance is scaled by the residuals. ``count`` resamples of the
    points (with replacement, their weights kept) are fitted too; a resample of a single x is drawn anew.

    Raises ``UnfitRunsError`` for fewer than two distinct x, or a value or weight that is not positive and finite.
    """
    u, v, w = _logs(x, y, weights)
    intercept, slope = (float(value) for value in lines(u, v, w[None])[0])
    residuals = v - intercept - slope * u
    mean = np.average(v, weights=w)
    explained = 1 - np.sum(w * residuals**2) / max(float(np.sum(w * (v - mean) ** 2)), np.finfo(float).tiny)
    return PowerLaw(
        coefficient=float(np.exp(intercept)),
        exponent=slope,
        covariance=_covariance(u, w, residuals),
        residual_sd=_scale(w / w.mean(), residuals),
        r_squared=float(explained),
        draws=_bootstrap(u, v, w, count, seed),
    )


def lines(u: Array, v: Array, w: Array) -> Array:
    """Weighted straight lines v = a + b·u: (r, 2) of (a, b) for points (r, n) or (n,) and weights (r, n)."""
    total = w.sum(axis=1, keepdims=True)
    u0, v0 = (w * u).sum(axis=1, keepdims=True) / total, (w * v).sum(axis=1, keepdims=True) / total
    spread = (w * (u - u0) ** 2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = (w * (u - u0) * (v - v0)).sum(axis=1) / spread
    return np.stack([v0[:, 0] - slope * u0[:, 0], slope], axis=1)


def _logs(x: Array, y: Array, weights: Array | None) -> tuple[Array, Array, Array]:
    x, y = np.asarray(x, float), np.asarray(y, float)
    w = np.ones_like(x) if weights is None else np.asarray(weights, float)
    assert x.shape == y.shape == w.shape, "x, y and weights must be as long as each other"
    for name, values in (("x", x), ("y", y), ("weights", w)):
        bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
        if bad.size:
            raise UnfitRunsError(
                f"a power law needs positive numbers: {name} of point {bad[0] + 1} is {values[bad[0]]:g}",
                "take the point out",
            )
    if np.unique(x).size < 2:
        raise UnfitRunsError("a power law needs at least two different x", f"there is {np.unique(x).size}: add points")
    return np.log(x), np.log(y), w


def _scale(w: Array, residuals: Array) -> float:
    left = residuals.size - 2
    return float(np.sqrt(np.sum(w * residuals**2) / left)) if left else float("nan")


def _covariance(u: Array, w: Array, residuals: Array) -> tuple[tuple[float, float], tuple[float, float]]:
    design = np.stack([np.ones_like(u), u], axis=1)
    (a, b), (c, d) = np.linalg.inv(design.T @ (w[:, None] * design)) * _scale(w, residuals) ** 2
    return (float(a), float(b)), (float(c), float(d))


def _bootstrap(u: Array, v: Array, w: Array, count: int, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    found = np.empty((0, 2))
    while len(found) < count:
        picked = rng.integers(u.size, size=(count, u.size))
        several = np.ptp(u[picked], axis=1) > 0
        picked = picked[several]
        found = np.concatenate([found, lines(u[picked], v[picked], w[picked])])
    return found[:count]


def _percentiles(values: Array, level: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
