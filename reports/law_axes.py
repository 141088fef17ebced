"""Logarithmic axes of a fitted law's charts: FLOPs, parameters, tokens and losses, with ticks that do not crowd."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import altair

_COUNTS = "replace(format(datum.value, '~s'), 'G', 'B')"
_FLOPS = "replace(format(datum.value, '.0e'), '+', '')"
_NEARLY = 1 + 1e-6
"""A tick at an end counts although a mean of logarithms fell short of it."""
_STEPS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0))


def log_ticks(low: float, high: float, most: int = 8) -> list[float]:
    """Powers of ten between two values, with 3 or 2 and 5 times them where they are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks: list[float] = []
    for steps in _STEPS:
        every = (step * 10.0**power for power in powers for step in steps)
        found = [tick for tick in every if low <= tick * _NEARLY and tick <= high * _NEARLY]
        if ticks and len(found) > most:
            break
        ticks = found
    return ticks[:: math.ceil(len(ticks) / most)] if ticks else []


def compute_axis(low: float, high: float) -> "altair.X":
    """C in FLOPs along the bottom."""
    import altair as alt

    scale = alt.Scale(type="log", nice=False, domain=[low, high])
    axis = alt.Axis(values=log_ticks(low, high), labelExpr=_FLOPS, grid=False)
    return alt.X("C:Q", title="Compute C, FLOPs", scale=scale, axis=axis)


def count_scale(values: Iterable[float]) -> "tuple[altair.Scale, altair.Axis]":
    """Scale and axis for parameters or tokens that hold all of ``values``, with a little room."""
    import altair as alt

    low, high = padded(values)
    scale = alt.Scale(type="log", nice=False, domain=[low, high])
    return scale, alt.Axis(values=log_ticks(low, high), labelExpr=_COUNTS)


def padded(values: Iterable[float], room: float = 0.04) -> tuple[float, float]:
    """The ends of positive values with that share of their logarithmic range beyond each."""
    logs = [math.log(value) for value in values]
    extra = max(room * (max(logs) - min(logs)), 0.01)
    return math.exp(min(logs) - extra), math.exp(max(logs) + extra)


def loss_ticks(values: list[float]) -> list[float]:
    """Round losses: halves or tenths by the range, denser below as a logarithmic axis is."""
    low, high = padded(values)
    step = next((step for step in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0) if (high - low) / step <= 9), 5.0)
    return [round(step * i, 6) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
