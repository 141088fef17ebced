"""The modules that stand in where Transformer Engine is absent: attention and norm on plain PyTorch.

Megatron's local attention materialises the score matrix and knows no context parallelism, and its local norm refuses
sequence parallelism.
"""

import itertools
from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.tensor_parallel.mappings import gather_from_sequence_parallel_region
from megatron.core.transformer.transformer_config import TransformerConfig
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

Firsts = list[list[int]]
"""Of each sequence of a batch, where its documents begin, in order."""


class FusedCoreAttention(torch.nn.Module):
    """Causal attention through ``scaled_dot_product_attention``: fused on GPU and CPU, no score matrix kept.

    Shapes: query ``[s, b, heads/TP, head_dim]``, key and value ``[s, b, kv_heads/TP, head_dim]``;
    result ``[s, b, heads/TP · head_dim]``. Without ``softmax_scale`` query · key is divided by √(head_dim).

    Under context parallelism s is a rank's share: the sequence is cut into 2 · CP chunks, and rank r has the r-th from
    the front and the r-th from the back, so that all ranks attend over as much. Each gathers all keys and values.

    Where ``begins`` is given, bool ``[b, whole s]`` on any device, a token attends to no document but its own: each
    document is a call of its own, with no mask. On a CPU that takes less time than whole sequences do, and a mask of
    the documents takes more, since the kernel multiplies what is masked too (docs/training.md).
    """

    def __init__(self, config: TransformerConfig, softmax_scale: float | None = None, **_options: Any) -> None:
        super().__init__()
        self.dropout = config.attention_dropout
        self.scale = softmax_scale
        self.context_ranks = config.context_parallel_size

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, begins: Tensor | None = None, **_options: Any
    ) -> Tensor:
        """Attend causally, over the sequence or the document; ``begins`` stands where Megatron hands on a mask."""
        if self.context_ranks > 1:
            key, value = (_whole_sequence(t) for t in (key, value))
        repeats = query.shape[2] // key.shape[2]
        if repeats > 1:
            key, value = (t.repeat_interleave(repeats, dim=2) for t in (key, value))
        # [s, b, n, d] -> [b, n, s, d]
        query, key, value = (t.permute(1, 2, 0, 3) for t in (query, key, value))
        firsts = None if begins is None else [row.nonzero().flatten().tolist() for row in begins]
        if self.context_ranks > 1:
            places = zip(query.chunk(2, dim=2), _chunks_of_this_rank(self.context_ranks), strict=True)
            chunks = [self._attend_chunk(chunk, key, value, place, firsts) for chunk, place in places]
            context = torch.cat(chunks, dim=2)
        elif firsts is not None:
            context = self._attend_documents(query, key, value, firsts)
        else:
            context = self._attend(query, key, value, is_causal=True)
        batch, heads, length, width = context.shape
        return context.permute(2, 0, 1, 3).reshape(length, batch, heads * width)

    def _attend_chunk(self, query: Tensor, key: Tensor, value: Tensor, place: int, firsts: Firsts | None) -> Tensor:
        """Queries of one chunk of the sequence on all that stands before them, or on what is of their documents."""
        length = query.shape[2]
        seen = (place + 1) * length
        key, value = key[:, :, :seen], value[:, :, :seen]
        if firsts is not None:
            return self._attend_documents(query, key, value, firsts)
        return self._attend(query, key, value, attn_mask=_mask_of_the_last(query, key))

    def _attend_documents(self, query: Tensor, key: Tensor, value: Tensor, firsts: Firsts) -> Tensor:
        """Queries of the last places of ``key``, sequence by sequence and document by document."""
        rows = zip(query.split(1), key.split(1), value.split(1), firsts, strict=True)
        return torch.cat([self._attend_row(*row) for row in rows])

    def _attend_row(self, query: Tensor, key: Tensor, value: Tensor, firsts: list[int]) -> Tensor:
        seen = key.shape[2]
        bounds = [*itertools.takewhile(lambda first: first < seen, firsts), seen]
        unasked = seen - query.shape[2]  # places before the first query
        lengths = [last - first for first, last in itertools.pairwise(bounds)]
        asked = [max(0, last - max(first, unasked)) for first, last in itertools.pairwise(bounds)]
        # One split, whose backward pass is one joining: a slice for each document would add up whole gradients.
        parts = zip(query.split(asked, dim=2), key.split(lengths, dim=2), value.split(lengths, dim=2), strict=True)
        return torch.cat([self._attend_document(*part) for part in parts if part[0].shape[2]], dim=2)

    def _attend_document(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        if query.shape[2] == key.shape[2]:
            return self._attend(query, key, value, is_causal=True)
        return self._attend(query, key, value, attn_mask=_mask_of_the_last(query, key))

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, **mask: Any) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        return scaled_dot_product_attention(query, key, value, dropout_p=dropout, scale=self.scale, **mask)


def _mask_of_the_last(query: Tensor, key: Tensor) -> Tensor:
    """What queries of the last places of ``key`` may see: bool ``[queries, keys]``."""
    length, seen = query.shape[2], key.shape[2]
    return torch.ones(length, seen, dtype=torch.bool, device=query.device).tril(seen - length)


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
