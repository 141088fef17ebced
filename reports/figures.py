"""Figures out of bare numbers and estimates."""

import math

from sixnd.reports.documents import Figure
from sixnd.reports.format import FORMATS, interval
from sixnd.specs.plan import Estimate

NOT_PREDICTED = Figure(value=None, text="not predicted", full="not predicted")
"""The loss of a run that starts from a trained model: no law here speaks of it."""


def exact(kind: str, value: float) -> Figure:
    """A measured or exact number of a kind that ``format.FORMATS`` knows."""
    if not math.isfinite(value):
        text = "not a number" if math.isnan(value) else f"{value:+}".replace("inf", "infinite")
        return Figure(value=None, text=text, full=text)
    text = FORMATS[kind](value)
    return Figure(value=value, text=text, full=text)


def estimated(kind: str, estimate: Estimate) -> Figure:
    """An estimate with its interval."""
    text, between = FORMATS[kind](estimate.value), interval(kind, estimate.value, estimate.low, estimate.high)
    if between == text:  # an interval of no width, such as the price of one's own machine
        return exact(kind, estimate.value)
    unit = text.partition(" ")[2]
    shared = unit and between.count(unit) == 1 and between.count(" ") == 1
    full = f"{text} ({between.removesuffix(f' {unit}') if shared else between})"
    return Figure(value=estimate.value, low=estimate.low, high=estimate.high, text=text, interval=between, full=full)
