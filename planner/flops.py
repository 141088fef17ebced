"""Training FLOPs by the two countings a budget may use: exact matrix products, and C = 6ND."""

from sixnd.planner.model_flops import training_flops
from sixnd.planner.transformer import Transformer


def training_flops_per_token(model: Transformer) -> float:
    """Model FLOPs of forward and backward, a token: what MFU counts, causal attention as half, nothing twice."""
    return training_flops(model.architecture, model.sequence, "causal").model


def flops_6nd(params: float, tokens: float) -> float:
    """The convention C = 6ND (Kaplan et al. 2020, §2.1; Hoffmann et al. 2022); of experts, N is what a token passes."""
    return 6.0 * params * tokens
