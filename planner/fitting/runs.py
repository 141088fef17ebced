"""The runs a law is fitted to, as arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_SAME_BUDGET = 1.01
"""Runs of one isoFLOP budget differ by their rounding."""
_NEAR, _LEAST, _ALIKE = 0.02, 0.02, 0.75


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

    def frontier_weights(self) -> Array:
        """What each run counts in a fit that is to tell the frontier beyond the runs: (n,), 1 at the most.

        It falls by a factor e for each 2 % of loss that the best run of no more compute is better, and with the root
        of the compute, in which the upper quarter is alike, so that no single run leads the fit. Chosen by published
        runs (docs/proof/published.md): far from the frontier, and at little compute, they bend away from any form.
        """
        least = np.min(np.where(self.compute <= _SAME_BUDGET * self.compute[:, None], self.loss, np.inf), axis=1)
        near = np.exp(-(self.loss / least - 1) / _NEAR)
        large = np.minimum(self.compute / np.quantile(self.compute, _ALIKE), 1.0)
        found: Array = np.sqrt(large) * np.maximum(near, _LEAST)
        whole: Array = found / found.max()
        return whole

    @property
    def different(self) -> int:
        """How many of them differ in N or D."""
        return int(np.unique(np.stack([self.params, self.tokens]), axis=1).shape[1])

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
