"""Exact training FLOPs by module. A multiply-add is two FLOPs; causal attention counts half of the score matrix."""

from sixnd.planner.transformer import Transformer

_BACKWARD = 2.0
"""The backward pass multiplies twice for each multiplication of the forward: by inputs and by weights."""


def forward_flops_per_token(model: Transformer) -> dict[str, float]:
    """Forward matrix-product FLOPs a token, by module of the whole model.

    ``scores`` holds QKᵀ and the product with V, half of them for the causal mask (the convention of
    Megatron-Bridge); norms, activations and the softmax are not counted (PaLM, appendix B).
    """
    kv = 2 * model.kv_width
    return {
        "qkv": 2.0 * model.layers * model.hidden * (model.hidden + kv),
        "scores": 2.0 * model.layers * model.hidden * model.sequence,
        "projection": 2.0 * model.layers * model.hidden * model.hidden,
        "ffn": 2.0 * model.layers * model.ffn_matrices * model.hidden * model.ffn,
        "head": 2.0 * model.embedding_params,
    }


def training_flops_per_token(model: Transformer) -> float:
    """Model FLOPs of forward and backward, a token: what MFU counts, without recomputation."""
    return (1.0 + _BACKWARD) * sum(forward_flops_per_token(model).values())


def flops_6nd(params: float, tokens: float) -> float:
    """The convention C = 6ND (Kaplan et al. 2020, §2.1; Hoffmann et al. 2022)."""
    return 6.0 * params * tokens
