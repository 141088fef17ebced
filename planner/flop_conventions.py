"""What papers mean by C and N: FLOPs a token and parameter counts under their conventions.

A law holds only under the convention it was fitted with: whether N counts embeddings explains most of the gap between
the compute-optimal exponents of Kaplan and Hoffmann (Pearce & Song 2024; Porian et al. 2024 find more causes).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sixnd.planner.flops import flops_6nd
from sixnd.planner.transformer import Transformer

Array = NDArray[np.float64]

_BACKWARD = 2.0


def hoffmann_flops(model: Transformer, with_vocabulary: bool) -> float:
    """Training FLOPs a token of Hoffmann et al. 2022, appendix F: every product, the full score matrix, the softmax.

    As printed the sum holds embedding and logits (``with_vocabulary``); table A4 comes out only without them.
    """
    d, s = model.hidden, model.sequence
    attention = 2 * d * (d + 2 * model.kv_width) + 4 * s * d + 3 * model.heads * s + 2 * d * d
    feed_forward = 2 * model.ffn_matrices * d * model.ffn
    vocabulary = 4 * model.embedding_params if with_vocabulary else 0
    return (1 + _BACKWARD) * (model.layers * (attention + feed_forward) + vocabulary)


def hoffmann_params(model: Transformer) -> int:
    """N as Hoffmann et al. 2022 count: biases, relative positions (Transformer-XL's), one tied embedding."""
    d = model.hidden
    attention = 4 * (d * d + d)
    relative = d * d + 2 * d
    feed_forward = 2 * d * model.ffn + model.ffn + d
    norms = 4 * d
    return model.layers * (attention + relative + feed_forward + norms) + 2 * d + model.embedding_params


def deepseek_flops(model: Transformer) -> float:
    """M = 72·l·d² + 12·l·d·s FLOPs a token (DeepSeek-AI 2024, arXiv:2401.02954): the model scale of its laws."""
    return float(model.layers * model.hidden * (72 * model.hidden + 12 * model.sequence))


def kaplan_flops(model: Transformer) -> float:
    """6N + 6·l·d·s FLOPs a token, N without embeddings (Kaplan et al. 2020, §2.1, with its attention term)."""
    return 6.0 * (model.params_non_embedding + model.layers * model.hidden * model.sequence)


CONVENTIONS: dict[str, Callable[[Transformer], float]] = {
    "6N": lambda model: 6.0 * model.params,
    "6N-non-embedding": lambda model: 6.0 * model.params_non_embedding,
    "kaplan-with-attention": kaplan_flops,
    "deepseek": deepseek_flops,
    "hoffmann-table-a4": lambda model: hoffmann_flops(model, with_vocabulary=False),
    "hoffmann-appendix-f": lambda model: hoffmann_flops(model, with_vocabulary=True),
    "exact": lambda model: model.training_flops,
}
"""Training FLOPs a token of a dense model, by the convention's name."""


@dataclass(frozen=True)
class Mismatch:
    """A row whose stated compute is not 6ND."""

    row: int
    """Position, from 0."""
    stated: float
    implied: float
    """6ND, FLOPs."""

    def __str__(self) -> str:
        """What is wrong with it, in words."""
        ratio = max(self.stated / self.implied, self.implied / self.stated)
        side = "below" if self.stated < self.implied else "above"
        return f"states {self.stated:.3g} FLOPs, {ratio:.1f}× {side} the {self.implied:.3g} of 6ND"


def off_6nd(params: Array, tokens: Array, compute: Array, factor: float = 1.5) -> tuple[Mismatch, ...]:
    """Rows whose stated compute is further than ``factor`` from 6ND: a typing error, or another convention.

    Exact counts lie within 1.1× of 6ND in table A4 of Hoffmann et al. 2022; a slip of a digit is 10×.
    """
    implied = np.array([flops_6nd(n, d) for n, d in zip(params, tokens, strict=True)])
    away = np.abs(np.log(np.asarray(compute) / implied)) > np.log(factor)
    return tuple(Mismatch(int(i), float(compute[i]), float(implied[i])) for i in np.flatnonzero(away))
