"""Quality against quantity: which share of the best text, read how often, gives the same predicted loss.

The model is an assumption, said with every answer: a source's unique tokens are worth ``quality`` tokens each, repeats
lose their worth by the law of repetition as those of any other source do, and worths add up. Loss at a given N is then
the same where the sum is. What the multiplier is, the user says. phi-1 (Gunasekar et al. 2023, arXiv:2306.11644), 1.3B
parameters on 7B tokens like a textbook's read about eight times, shows that it can be large for one task, code; no
published law gives a number for another text or for the loss.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sixnd.planner.laws import Array
from sixnd.planner.repetition import worth_of

_STEPS = 100
"""Bisection of ln D: to rounding."""
_DECADES = 6.0
"""How far above and below the reference D is looked for."""


@dataclass(frozen=True)
class Blend:
    """A share of the best text and what it takes."""

    share: float
    """Of training tokens that are of the highest quality."""
    tokens: float | None
    """D of the same predicted loss; none where no number of tokens reaches it."""
    best_epochs: float
    """Times the best text is read, over its unique tokens; with ``tokens`` none, 0."""
    rest_epochs: float
    """The same for the rest."""


@dataclass(frozen=True)
class Text:
    """The sources as arrays, in the spec's order."""

    shares: Array
    unique: Array
    """Infinite where it is not told: nothing repeats."""
    quality: Array
    repeated_tokens: float

    @property
    def best(self) -> NDArray[np.bool_]:
        """Which sources have the highest quality."""
        return np.asarray(self.quality == self.quality.max())

    def effective(self, tokens: float, shares: Array | None = None) -> float:
        """Tokens of quality 1 that D tokens in these shares are worth."""
        seen = tokens * (self.shares if shares is None else shares)
        finite = np.where(np.isfinite(self.unique), self.unique, np.maximum(seen, 1.0))
        return float((self.quality * worth_of(seen, finite, self.repeated_tokens)).sum())

    def with_best(self, share: float) -> Array:
        """Shares in which the best text has so much, each group divided as before."""
        parts = np.zeros_like(self.shares)
        for group, weight in ((self.best, share), (~self.best, 1 - share)):
            parts[group] = weight * self.shares[group] / self.shares[group].sum()
        return parts


def equal_blends(text: Text, tokens: float, grid: list[float]) -> list[Blend]:
    """For each share of the best text, the D that is worth as much as ``tokens`` in the planned shares."""
    target = text.effective(tokens)
    return [_blend(text, share, target, tokens) for share in grid]


def _blend(text: Text, share: float, target: float, reference: float) -> Blend:
    shares = text.with_best(share)
    low, high = np.log(reference) + np.log(10) * np.array([-_DECADES, _DECADES])
    if text.effective(float(np.exp(high)), shares) < target:
        return Blend(share, None, 0.0, 0.0)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        short = text.effective(float(np.exp(middle)), shares) < target
        low, high = (middle, high) if short else (low, middle)
    found = float(np.exp(high))
    return Blend(share, found, _epochs(text, shares, found, text.best), _epochs(text, shares, found, ~text.best))


def _epochs(text: Text, shares: Array, tokens: float, group: NDArray[np.bool_]) -> float:
    return float(tokens * shares[group].sum() / text.unique[group].sum())
