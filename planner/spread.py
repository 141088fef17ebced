"""Numbers with intervals, multiplied: draws, and the interval of a product."""

import math
from functools import cache
from statistics import NormalDist

import numpy as np

from sixnd.planner.laws import Array
from sixnd.specs.plan import Estimate

_Z90 = NormalDist().inv_cdf(0.9)

Span = tuple[float, float, float]
"""Low end, value and high end; an 80 % interval."""


def span(estimate: Estimate) -> Span:
    """The numbers of an estimate."""
    return estimate.low, estimate.value, estimate.high


def drawn(low: float, value: float, high: float, count: int, generator: np.random.Generator) -> Array:
    """Draws in random order whose logarithms are normal on either side of ``value``, with this 80 % interval.

    Stratified: their quantiles are the interval's ends but for rounding, however few they are.
    """
    z = generator.permutation(_normals(count))
    draws: Array = value * np.exp(z / _Z90 * np.where(z < 0, np.log(value / low), np.log(high / value)))
    return draws


@cache
def _normals(count: int) -> Array:
    return np.array([NormalDist().inv_cdf((i + 0.5) / count) for i in range(count)])


def product(one: Span, other: Span) -> Span:
    """The product of two independent numbers: on each side the logarithms' half-widths add in quadrature.

    A value or an end of zero stays zero.
    """
    value = one[1] * other[1]
    if value == 0:
        return 0.0, 0.0, one[2] * other[2]
    down = math.hypot(_log_ratio(one[1], one[0]), _log_ratio(other[1], other[0]))
    up = math.hypot(math.log(one[2] / one[1]), math.log(other[2] / other[1]))
    return value * math.exp(-down), value, value * math.exp(up)


def _log_ratio(value: float, low: float) -> float:
    return math.log(value / low) if low > 0 else math.inf
