"""How a published run was split over ranks, and the habits of its training program.

``Layouts`` holds what the planner chooses from; this holds what published runs need beside it: uneven stages, tensors
in host memory, an optimizer that is not split. Nothing here decides or checks rules.
"""

from dataclasses import dataclass, field
from typing import Literal

from sixnd.planner.candidates import Layouts, module_bits
from sixnd.specs.plan import Module

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
    quantised: float = 0
    """Copies of matrices in the precision of their products, kept from one micro-batch to the next; 2 in FP8: the
    weight and its transpose, a byte each (``get_weight_workspace`` in transformer_engine/pytorch/module/base.py, which
    Megatron-core's ``is_first_microbatch`` makes cache them)."""
    distributed: bool = True
    """Whether the ranks that hold the same parameters split their optimizer (Megatron's distributed optimizer)."""
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
    plain_layers: bool = False
    """Megatron's own layers on plain PyTorch in place of Transformer Engine's: each norm keeps its normed input too,
    keys and values are repeated for every query head, and gate · SiLU keeps two more of its steps."""
    quantised_products: bool = False
    """Matrix products in FP8: Transformer Engine keeps their inputs in one byte for the weights' gradients
    (``_Linear.forward`` in transformer_engine/pytorch/module/linear.py), attention and norms keep theirs in BF16."""
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
    recomputation: Recomputation = field(default_factory=Recomputation)
    offload: frozenset[Offloaded] = frozenset()
    """Modules whose input waits for the backward pass in host memory."""
    stage_layers: tuple[int, ...] | None = None
    """Layers of each stage where they are uneven; None to split them evenly."""

    embedding_as_layer: bool = False
    """Embedding, head and modules of multi-token prediction fill stages like a layer each."""

    @property
    def layouts(self) -> Layouts:
        """The same as columns of one entry."""
        again = self.recomputation
        full = again.full and again.layers != 0
        degrees = (self.tensor, self.pipeline, self.virtual, self.context, self.expert, self.expert_tensor, self.data)
        recompute = (full, again.layers or 0, module_bits(again.modules))
        return Layouts.of_rows(
            [(*degrees, self.micro_batch, *recompute, self.sequence_parallel, self.embedding_as_layer)]
        )

    def layers_of(self, stage: int, layers: int, further: int = 0) -> list[int]:
        """Indices of the layers that a stage holds, chunk by chunk.

        Even stages take the same number each, the first ones one more where they do not divide. Interleaved, chunk c
        of stage r holds the layers after those of all earlier chunks. ``further`` are modules of multi-token
        prediction, which are on the last stage beside these layers.
        """
        if self.stage_layers is not None:
            before = sum(self.stage_layers[:stage])
            return list(range(before, before + self.stage_layers[stage]))
        chunks, ends = self.pipeline * self.virtual, int(self.embedding_as_layer)
        size, more = divmod(layers + ends * (2 + further), chunks)
        starts = [min(max(c * size + min(c, more) - ends, 0), layers) for c in range(chunks + 1)]
        mine = range(stage, chunks, self.pipeline)
        return [layer for c in mine for layer in range(starts[c], starts[c + 1])]
