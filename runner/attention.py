"""The modules that stand in where Transformer Engine is absent: attention and norm on plain PyTorch.

Megatron's local attention materialises the score matrix and knows no context parallelism, and its local norm refuses
sequence parallelism.
"""

from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.tensor_parallel.mappings import gather_from_sequence_parallel_region
from megatron.core.transformer.transformer_config import TransformerConfig
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


class FusedCoreAttention(torch.nn.Module):
    """Causal attention through ``scaled_dot_product_attention``: fused on GPU and CPU, no score matrix kept.

    Shapes: query ``[s, b, heads/TP, head_dim]``, key and value ``[s, b, kv_heads/TP, head_dim]``;
    result ``[s, b, heads/TP · head_dim]``. Without ``softmax_scale`` query · key is divided by √(head_dim).

    Under context parallelism s is a rank's share: the sequence is cut into 2 · CP chunks, and rank r has the r-th from
    the front and the r-th from the back, so that all ranks attend over as much. Each gathers all keys and values.
    """

    def __init__(self, config: TransformerConfig, softmax_scale: float | None = None, **_options: Any) -> None:
        super().__init__()
        self.dropout = config.attention_dropout
        self.scale = softmax_scale
        self.context_ranks = config.context_parallel_size

    def forward(self, query: Tensor, key: Tensor, value: Tensor, *_masks: Any, **_options: Any) -> Tensor:
        """Attend causally; the mask arguments are not looked at, since the mask is always causal."""
        if self.context_ranks > 1:
            key, value = (_whole_sequence(t) for t in (key, value))
        repeats = query.shape[2] // key.shape[2]
        if repeats > 1:
            key, value = (t.repeat_interleave(repeats, dim=2) for t in (key, value))
        # [s, b, n, d] -> [b, n, s, d]
        query, key, value = (t.permute(1, 2, 0, 3) for t in (query, key, value))
        if self.context_ranks == 1:
            context = self._attend(query, key, value, is_causal=True)
        else:
            places = zip(query.chunk(2, dim=2), _chunks_of_this_rank(self.context_ranks), strict=True)
            context = torch.cat([self._attend_chunk(chunk, key, value, place) for chunk, place in places], dim=2)
        batch, heads, length, width = context.shape
        return context.permute(2, 0, 1, 3).reshape(length, batch, heads * width)

    def _attend_chunk(self, query: Tensor, key: Tensor, value: Tensor, place: int) -> Tensor:
        """Queries of one chunk of the sequence on all that stands before them."""
        length = query.shape[2]
        seen = (place + 1) * length
        mask = torch.ones(length, seen, dtype=torch.bool, device=query.device).tril(seen - length)
        return self._attend(query, key[:, :, :seen], value[:, :, :seen], attn_mask=mask)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, **mask: Any) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        return scaled_dot_product_attention(query, key, value, dropout_p=dropout, scale=self.scale, **mask)


def _chunks_of_this_rank(ranks: int) -> tuple[int, int]:
    """The places of this rank's two chunks in the sequence."""
    rank = parallel_state.get_context_parallel_rank()
    return rank, 2 * ranks - 1 - rank


def _whole_sequence(share: Tensor) -> Tensor:
    """All ranks' shares along the first axis, in the sequence's order; gradients go back, summed, to their ranks."""
    group = parallel_state.get_context_parallel_group()
    chunks = gather_from_sequence_parallel_region(share, group=group).chunk(2 * group.size())
    return torch.cat([*chunks[::2], *reversed(chunks[1::2])])


class Norm(torch.nn.RMSNorm):
    """RMSNorm whose gradient Megatron sums over the tensor-parallel ranks under sequence parallelism."""

    def __init__(self, config: TransformerConfig, hidden_size: int, eps: float = 1e-5, **_options: Any) -> None:
        super().__init__(hidden_size, eps=eps)
        # Read by Megatron's finalize_model_grads: each rank saw only its share of the sequence.
        self.weight.sequence_parallel = config.sequence_parallel
