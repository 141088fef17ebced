"""How any decoder is split over ranks, with every axis Megatron has, and the habits of a training program.

``PlannedLayout`` holds what our runner trains (dense, TP × PP × DP); this holds what published runs and later searches
need: context and expert parallelism, uneven stages, recomputation by module. Nothing here decides or checks rules.
"""

from dataclasses import dataclass, field
from typing import Literal

Module = Literal["core_attn", "layernorm", "mla_up_proj", "mlp", "moe_act", "shared_experts", "moe"]
"""What Megatron can recompute alone (``TransformerConfig.recompute_modules``)."""

Offloaded = Literal["attn_norm", "qkv_linear", "core_attn", "attn_proj", "mlp_norm", "expert_fc1", "moe_act"]
"""Modules whose input Megatron can keep in host memory (``TransformerConfig.offload_modules``)."""

_FP32 = 4


@dataclass(frozen=True)
class Recomputation:
    """What runs forward again in the backward pass."""

    full: bool = False
    """Whole layers; only their input is kept."""
    layers: int | None = None
    """With ``full``: layers of each chunk that are recomputed (method block); None for all (uniform, one at a time)."""
    modules: frozenset[Module] = frozenset()
    """Without ``full``: modules that are recomputed alone (selective)."""


@dataclass(frozen=True)
class StateBytes:
    """Bytes a parameter of weights, gradients and optimizer; Megatron's mixed precision by default."""

    weight: float = 2
    gradient: float = 4
    """Main gradients; 2 where they are reduced and kept in BF16."""
    master: float = 4
    """FP32 copy of the weights, split with the moments."""
    moments: float = 8
    """Both moments; 4 in BF16 and 2 in FP8 with the precision-aware optimizer."""
    on_host: float = 0
    """Share of master weights and moments that lives in host memory (``--optimizer-offload-fraction``)."""

    @property
    def optimizer(self) -> float:
        """Bytes a parameter of the optimizer on the device, before they are split over ranks."""
        return (self.master + self.moments) * (1 - self.on_host)


FP32_STATE = StateBytes(weight=4, gradient=4, master=0)
"""Training in FP32: the weights are their own master copy."""


@dataclass(frozen=True)
class Software:
    """What the training program and its libraries keep, as far as it decides memory."""

    element_bytes: int = 2
    """Bytes of one activation."""
    fused_attention: bool = True
    """Flash attention: the s × s scores never reach memory."""
    dropout: bool = False
    """Whether dropout keeps its masks, one byte an element."""
    cross_entropy: Literal["in place", "fused", "plain"] = "plain"
    """Transformer Engine's overwrites the logits by their gradient; Megatron's keeps an FP32 softmax beside them, its
    compiled form a second one."""
    weight_gradient_placeholders: bool = False
    """With fused gradient accumulation Transformer Engine keeps one tensor in the weights' precision for every shape of
    weight, which autograd is given in place of the gradient (``get_dummy_wgrad``). Otherwise each weight's gradient is
    made in that precision, added to the main gradient, and let go."""
    workspace_bytes: float = 0
    """Scratch of the matrix-product libraries."""
    grouped_workspace_bytes: float = 0
    """Further scratch where experts' matrix products are grouped: one workspace for each of four streams."""

    @property
    def logit_bytes(self) -> float:
        """Bytes of one logit at the peak of the loss."""
        copies = {"in place": 0, "fused": 2, "plain": 1}[self.cross_entropy]
        if self.element_bytes == _FP32:
            copies = max(copies - 1, 0)  # what is FP32 already is not cast
        return self.element_bytes + copies * _FP32


@dataclass(frozen=True)
class Split:
    """Degrees of parallelism, batch and recomputation of one run."""

    tensor: int = 1
    pipeline: int = 1
    virtual: int = 1
    context: int = 1
    expert: int = 1
    expert_tensor: int = 1
    data: int = 1
    micro_batch: int = 1
    """Sequences of one micro-batch."""
    micro_batches: int = 1
    """Micro-batches that one replica runs in a step."""
    sequence_parallel: bool = False
    distributed_optimizer: bool = True
    recomputation: Recomputation = field(default_factory=Recomputation)
    offload: frozenset[Offloaded] = frozenset()
    """Modules whose input waits for the backward pass in host memory."""
    stage_layers: tuple[int, ...] | None = None
    """Layers of each stage where they are uneven; None to split them evenly."""

    @property
    def sequence_shards(self) -> int:
        """Ranks over which norms and residuals are split: TP with sequence parallelism, else one."""
        return self.tensor if self.sequence_parallel else 1

    @property
    def optimizer_shards(self) -> int:
        """Ranks over which the dense parameters' optimizer is split: DP × CP with the distributed optimizer."""
        return self.data * self.context if self.distributed_optimizer else 1

    @property
    def expert_optimizer_shards(self) -> float:
        """Ranks that hold the same routed experts, over which their optimizer is split."""
        same = self.tensor * self.context * self.data / (self.expert * self.expert_tensor)
        return same if self.distributed_optimizer else 1

    def layers_of(self, stage: int, layers: int) -> list[int]:
        """Indices of the layers that a stage holds, chunk by chunk.

        Even stages take the same number each, the first ones one more where they do not divide. Interleaved, chunk c
        of stage r holds the layers after those of all earlier chunks.
        """
        if self.stage_layers is not None:
            before = sum(self.stage_layers[:stage])
            return list(range(before, before + self.stage_layers[stage]))
        chunks = self.pipeline * self.virtual
        size, more = divmod(layers, chunks)
        starts = [c * size + min(c, more) for c in range(chunks + 1)]
        mine = range(stage, chunks, self.pipeline)
        return [layer for c in mine for layer in range(starts[c], starts[c + 1])]

    def in_flight(self, stage: int) -> float:
        """Micro-batches whose activations a stage holds at its peak, in units of the whole stage.

        1F1B: the stages from here to the end. Interleaved: (2(p − r − 1) + (v − 1)p + 1)/v, which on the first stage
        is p(1 + (p − 1)/(pv)) (Narayanan et al. 2021; Korthikanti et al. 2022, §4.2.3). Never more than there are.
        """
        p, v = self.pipeline, self.virtual
        held = p - stage if v == 1 else (2 * (p - stage - 1) + (v - 1) * p + 1) / v
        return min(held, self.micro_batches)
