"""Rotary positions (Su et al. 2021) in as few passes as PyTorch needs, where Transformer Engine's kernel is absent."""

import functools
from typing import Any

import torch
from megatron.core.transformer.attention import SelfAttention
from torch import Tensor


class RotatedAttention(SelfAttention):
    """Megatron's self-attention, whose queries and keys are rotated as they come from their projection.

    The rotation that Megatron's attention would make later also serves heads of which only a part is rotated: it cuts
    off the rest, here empty, and puts it back. Forwards that is a copy of each query and key, backwards two tensors of
    zeros, a copy and a sum; and it computes cosine and sine anew in every layer. The values are the same.
    """

    angles: Tensor | None = None
    """Of the pass that is under way: ``[s, 1, 1, head_dim]``."""

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None, *, rotary_pos_emb: Tensor | None, **options: Any
    ) -> tuple[Tensor, Tensor]:
        """Attend; shapes as in Megatron's."""
        self.angles = rotary_pos_emb
        found: tuple[Tensor, Tensor] = super().forward(hidden_states, attention_mask, rotary_pos_emb=None, **options)
        return found

    def get_query_key_value_tensors(self, *inputs: Any, **options: Any) -> tuple[Tensor, ...]:
        """Query ``[s, b, heads/TP, head_dim]``, key and value ``[s, b, kv_heads/TP, head_dim]``; two rotated."""
        query, key, value = super().get_query_key_value_tensors(*inputs, **options)
        assert self.angles is not None, "the model has rotary positions"
        return rotated(query, self.angles), rotated(key, self.angles), value


def rotated(x: Tensor, angles: Tensor) -> Tensor:
    """``x`` of ``[s, b, heads, head_dim]``, each half of a head's entries turned against the other by ``angles``."""
    cos, sin = _cos_and_sin(angles, x.dtype)
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


@functools.lru_cache(maxsize=1)  # Megatron hands all layers, and all passes of one length, the same tensor
def _cos_and_sin(angles: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    return angles.cos().to(dtype), angles.sin().to(dtype)
