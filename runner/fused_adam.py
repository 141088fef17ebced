"""PyTorch's AdamW in one pass over each parameter, gradient and moments."""

import torch
from megatron.core.optimizer import MegatronOptimizer


def fuse(optimizer: MegatronOptimizer) -> None:
    """Let the update be made by PyTorch's fused kernel.

    Where neither Apex nor Transformer Engine is there, Megatron builds PyTorch's AdamW as it comes: on a CPU that goes
    over every tensor about ten times. A run that goes on from a checkpoint which was written without this goes on
    without it, since the choice stands in the checkpoint's groups: its losses stay those of one program.
    """
    for part in getattr(optimizer, "chained_optimizers", [optimizer]):
        if isinstance(part.optimizer, torch.optim.AdamW):
            for group in part.optimizer.param_groups:
                group["fused"] = True
