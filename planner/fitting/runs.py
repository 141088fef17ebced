"""The runs a law is fitted to, as arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_SAME_BUDGET = 1.01
"""Runs of one isoFLOP budget differ by their rounding."""


@dataclass(frozen=True)
class Runs:
    """N, D and loss (nats per token) of each run; positive and finite, of equal length."""

    params: Array
    tokens: Array
    loss: Array

    def __post_init__(self) -> None:
        values = np.array([self.params, self.tokens, self.loss])
        assert values.ndim == 2, "one number a run"
        assert np.all(np.isfinite(values) & (values > 0)), "runs are checked where they are read"

    def __len__(self) -> int:
        return len(self.params)

    def picked(self, which: NDArray[np.bool_]) -> "Runs":
        """Those of them."""
        return Runs(self.params[which], self.tokens[which], self.loss[which])

    def near_frontier(self, share: float) -> NDArray[np.bool_]:
        """Which of them lie at most ``share`` of the loss above the best run of no more compute (to 1 %)."""
        least = np.min(np.where(self.compute <= _SAME_BUDGET * self.compute[:, None], self.loss, np.inf), axis=1)
        return np.asarray(self.loss <= (1 + share) * least)

    @property
    def compute(self) -> Array:
        """C = 6ND, FLOPs."""
        return 6.0 * self.params * self.tokens

    @property
    def log_params(self) -> Array:
        """Ln N."""
        return np.log(self.params)

    @property
    def log_tokens(self) -> Array:
        """Ln D."""
        return np.log(self.tokens)

    @property
    def log_loss(self) -> Array:
        """Ln L."""
        return np.log(self.loss)
