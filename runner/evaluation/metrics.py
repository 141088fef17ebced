"""From what each row scored to what a task's items say: one discrete metric and several continuous ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sixnd.runner.evaluation.items import Item
from sixnd.specs.evaluation_record import Measured, TaskScore

Array = np.ndarray[Any, Any]

_Z = 1.959963984540054
"""Two-sided 95 % of the normal distribution."""
_RESAMPLES = 1000


@dataclass(frozen=True)
class Answered:
    """One item as it was answered."""

    right: bool
    probability: float
    """Of the right answer: of drawing exactly it, or its share among the choices."""
    nats_per_byte: float
    """Of the right answer."""
    graded: float
    """Share of its tokens that were the likeliest, or the Brier score of the choices."""


def task_score(task: str, items: Sequence[Item], scored: Array) -> TaskScore:
    """The metrics of a task; ``scored`` holds its rows' nats and likeliest tokens, item after item."""
    ends = np.cumsum([len(item.choices) for item in items])[:-1]
    found = [answered(item, rows) for item, rows in zip(items, np.split(scored, ends), strict=True)]
    chosen = len(items[0].choices) > 1
    graded = ("Brier score", "lower") if chosen else ("tokens right", "higher")
    continuous = [
        mean("probability", "higher", [each.probability for each in found]),
        mean("nats per byte", "lower", [each.nats_per_byte for each in found]),
        mean(*graded, [each.graded for each in found]),
    ]
    right = sum(each.right for each in found)
    low, high = wilson(right, len(found))
    name = "accuracy" if chosen else "exact match"
    discrete = Measured(name=name, value=right / len(found), low=low, high=high, better="higher")
    return TaskScore(task=task, items=len(found), discrete=discrete, continuous=continuous)


def answered(item: Item, rows: Array) -> Answered:
    """How one item was answered: ``rows`` holds each choice's nats, and how many of its tokens were the likeliest."""
    nats = rows[:, 0]
    per_byte = float(nats[item.answer]) / item.answer_bytes
    if len(item.choices) == 1:
        tokens = len(item.choices[0])
        share = float(rows[0, 1]) / tokens
        return Answered(round(rows[0, 1]) == tokens, math.exp(-float(nats[0])), per_byte, share)
    chances = np.exp(nats.min() - nats)
    chances /= chances.sum()
    truth = np.arange(len(nats)) == item.answer
    right = bool(nats[item.answer] < np.delete(nats, item.answer).min())
    return Answered(right, float(chances[item.answer]), per_byte, float(((chances - truth) ** 2).sum()))


def mean(name: str, better: Any, values: Sequence[float]) -> Measured:
    """The mean with its 95 % interval by the bootstrap over items, the same draws for every checkpoint."""
    array = np.asarray(values, np.float64)
    draws = np.random.default_rng(0).integers(0, len(array), (_RESAMPLES, len(array)))
    low, high = np.quantile(array[draws].mean(axis=1), [0.025, 0.975])
    return Measured(name=name, value=float(array.mean()), low=float(low), high=float(high), better=better)


def wilson(right: int, items: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share (Wilson 1927)."""
    share, z2 = right / items, _Z**2
    centre = (share + z2 / (2 * items)) / (1 + z2 / items)
    half = _Z / (1 + z2 / items) * math.sqrt(share * (1 - share) / items + z2 / (4 * items**2))
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def bits_per_byte(nats: float, size: int) -> float:
    """Nats of a text over its bytes, in bits."""
    return nats / size / math.log(2)
