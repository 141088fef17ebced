"""SwiGLU (Shazeer 2020) in as few passes as PyTorch needs, where Megatron's fused kernel has no compiler.

Megatron's own way without fusion adds an offset of zero to the gated half, a pass over it and one more tensor kept, and
backwards puts the two halves' gradients side by side by a copy. The values are the same.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def swiglu(both: Tensor, bias: Tensor | None, *_options: Any) -> Tensor:
    """SiLU of the first half of ``[..., 2 · ffn]`` times the second: ``[..., ffn]``.

    Takes the place of Megatron's ``bias_swiglu_impl``, whose further options are those of FP8 and of offloading.
    """
    gated: Tensor = _Gated.apply(both if bias is None else both + bias)
    return gated


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, both: Tensor) -> Tensor:
        gate, value = both.chunk(2, dim=-1)
        opened = functional.silu(gate)
        ctx.save_for_backward(both, opened)
        return opened * value

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        both, opened = ctx.saved_tensors
        gate, value = both.chunk(2, dim=-1)
        gradient = torch.empty_like(both)
        of_gate, of_value = gradient.chunk(2, dim=-1)
        torch.mul(gradients[0], opened, out=of_value)
        torch.ops.aten.silu_backward.grad_input(gradients[0] * value, gate, grad_input=of_gate)
        return gradient
