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
    turned: Tensor = _Rotation.apply(x, *_cos_and_sin(angles, x.dtype))
    return turned


class _Rotation(torch.autograd.Function):
    """``x · cos + (-second, first) · sin`` of the two halves of x, without putting the halves side by side."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        first, second = x.chunk(2, dim=-1)
        turned = x * cos
        into_first, into_second = turned.chunk(2, dim=-1)
        of_first, of_second = sin.chunk(2, dim=-1)
        into_first.sub_(second * of_first)
        into_second.add_(first * of_second)
        return turned

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        first, second = gradients[0].chunk(2, dim=-1)
        back = gradients[0] * cos
        into_first, into_second = back.chunk(2, dim=-1)
        of_first, of_second = sin.chunk(2, dim=-1)
        into_first.add_(second * of_second)
        into_second.sub_(first * of_first)
        return back, None, None


@functools.lru_cache(maxsize=1)  # Megatron hands all layers, and all passes of one length, the same tensor
def _cos_and_sin(angles: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    return angles.cos().to(dtype), angles.sin().to(dtype)
