"""The modules that stand in where Transformer Engine is absent: attention and norm on plain PyTorch.

Megatron's local attention materialises the score matrix and its local norm refuses sequence parallelism.
"""

from typing import Any

import torch
from megatron.core.transformer.transformer_config import TransformerConfig
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


class FusedCoreAttention(torch.nn.Module):
    """Causal attention through ``scaled_dot_product_attention``: fused on GPU and CPU, no score matrix kept.

    Shapes: query ``[s, b, heads/TP, head_dim]``, key and value ``[s, b, kv_heads/TP, head_dim]``;
    result ``[s, b, heads/TP · head_dim]``. Without ``softmax_scale`` query · key is divided by √(head_dim).
    """

    def __init__(self, config: TransformerConfig, softmax_scale: float | None = None, **_options: Any) -> None:
        super().__init__()
        self.dropout = config.attention_dropout
        self.scale = softmax_scale

    def forward(self, query: Tensor, key: Tensor, value: Tensor, *_masks: Any, **_options: Any) -> Tensor:
        """Attend causally; the mask arguments are not looked at, since the mask is always causal."""
        repeats = query.shape[2] // key.shape[2]
        if repeats > 1:
            key, value = (t.repeat_interleave(repeats, dim=2) for t in (key, value))
        # [s, b, n, d] -> [b, n, s, d]
        query, key, value = (t.permute(1, 2, 0, 3) for t in (query, key, value))
        dropout = self.dropout if self.training else 0.0
        context = scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=True, scale=self.scale)
        batch, heads, length, width = context.shape
        return context.permute(2, 0, 1, 3).reshape(length, batch, heads * width)


class Norm(torch.nn.RMSNorm):
    """RMSNorm whose gradient Megatron sums over the tensor-parallel ranks under sequence parallelism."""

    def __init__(self, config: TransformerConfig, hidden_size: int, eps: float = 1e-5, **_options: Any) -> None:
        super().__init__(hidden_size, eps=eps)
        # Read by Megatron's finalize_model_grads: each rank saw only its share of the sequence.
        self.weight.sequence_parallel = config.sequence_parallel
