"""Bytes on the fullest rank: model state, activations (Korthikanti et al. 2022), logits, overhead.

Activations follow Korthikanti et al., "Reducing Activation Recomputation in Large Transformer Models" (2022), §4,
adapted to what our model is: no dropout, RMSNorm, flash attention, grouped-query attention, gated feed-forward.
"""

from dataclasses import dataclass, fields

import numpy as np

from sixnd.planner.candidates import Floats, Layouts, StageKind, stage_kinds
from sixnd.planner.machine import Machine
from sixnd.planner.transformer import Transformer
from sixnd.specs.plan import MemoryBreakdown, PlannedLayout

_FP32 = 4
_ADAM_MOMENTS_BYTES = 8
"""Two FP32 moments a parameter."""


@dataclass(frozen=True)
class MemoryTerms:
    """Bytes by what they hold, one entry a candidate."""

    parameters: Floats
    gradients: Floats
    optimizer: Floats
    activations: Floats
    logits: Floats
    overhead: Floats
    stage: Floats
    """Index of the fullest stage's kind."""

    @property
    def total(self) -> Floats:
        """Bytes on the fullest rank."""
        return self.parameters + self.gradients + self.optimizer + self.activations + self.logits + self.overhead


def memory_terms(model: Transformer, layouts: Layouts, machine: Machine, global_batch: int) -> MemoryTerms:
    """Bytes on the fullest rank of every candidate; ``global_batch`` in sequences."""
    kinds = stage_kinds(model.layers, layouts)
    stages = [_stage_terms(model, layouts, machine, global_batch, kind, i) for i, kind in enumerate(kinds)]
    totals = np.stack([np.where(kind.exists, s.total, -1.0) for kind, s in zip(kinds, stages, strict=True)])
    fullest = totals.argmax(axis=0)
    columns = [np.choose(fullest, [getattr(s, f.name) for s in stages]) for f in fields(MemoryTerms)]
    return MemoryTerms(*columns)


def peak_memory(model: Transformer, layout: PlannedLayout, machine: Machine, global_batch: int) -> MemoryBreakdown:
    """Bytes on the fullest rank of one layout."""
    layouts = Layouts.of(layout)
    terms = memory_terms(model, layouts, machine, global_batch)
    names = [f.name for f in fields(MemoryTerms) if f.name != "stage"]
    kinds = stage_kinds(model.layers, layouts)
    rank = "the only pipeline stage" if layout.pipeline == 1 else kinds[int(terms.stage[0])].name
    return MemoryBreakdown(rank=rank, **{name: float(getattr(terms, name)[0]) for name in names})


def _stage_terms(
    model: Transformer, layouts: Layouts, machine: Machine, global_batch: int, kind: StageKind, index: int
) -> MemoryTerms:
    params = stage_params(model, layouts, kind)
    weight = machine.element_bytes
    master = _FP32 if machine.precision == "bf16" else 0
    parameters, gradients = params * weight, params * _FP32  # Megatron accumulates gradients in FP32
    optimizer = params * (master + _ADAM_MOMENTS_BYTES) / layouts.data
    activations = _activations(model, layouts, machine, global_batch, kind)
    logits = _logits(model, layouts, machine, kind)
    held = parameters + gradients + optimizer + activations + logits
    overhead = machine.accelerator.process_bytes + machine.accelerator.allocator_slack * held
    return MemoryTerms(parameters, gradients, optimizer, activations, logits, overhead, np.full(len(layouts), index))


def stage_params(model: Transformer, layouts: Layouts, kind: StageKind) -> Floats:
    """Parameters that one rank of a stage holds; norms are whole on every tensor-parallel rank.

    Key and value heads are split too where TP exceeds their number (Megatron gathers them in the forward pass).
    """
    t = layouts.tensor
    per_layer = model.layer_matrix_params / t + 2 * model.hidden
    embedding = model.embedding_params / t
    twice = kind.first & kind.last & model.tied  # one matrix serves as embedding and head
    return (
        kind.layers * per_layer
        + np.where(kind.first, embedding, 0)
        + np.where(kind.last & ~twice, embedding, 0)
        + np.where(kind.last, model.hidden, 0)
    )


def _activations(model: Transformer, layouts: Layouts, machine: Machine, global_batch: int, kind: StageKind) -> Floats:
    whole = layer_activation_bytes(model, layouts, machine)
    scores = score_bytes(model, layouts, machine)
    boundary = layer_input_bytes(model, layouts, machine)
    recomputed = kind.recomputed_layers(layouts)
    kept = np.where(layouts.recompute == 1, whole - scores, whole)
    layers = recomputed * boundary + (kind.layers - recomputed) * kept
    # While the backward pass of a recomputed layer runs, that one layer is whole again.
    again = np.choose(layouts.recompute, [np.zeros_like(whole), scores, whole - boundary])
    in_flight = in_flight_micro_batches(layouts, global_batch, kind)
    ends = np.where(kind.last, 2 * boundary, 0.0)  # input and output of the final norm
    return np.asarray(layers * in_flight + again + ends)


def layer_input_bytes(model: Transformer, layouts: Layouts, machine: Machine) -> Floats:
    """Bytes of one layer's input for one micro-batch: s·b·h elements, split under sequence parallelism."""
    tokens = model.sequence * layouts.micro_batch
    return np.asarray(tokens * model.hidden * machine.element_bytes / layouts.sequence_shards)


def layer_activation_bytes(model: Transformer, layouts: Layouts, machine: Machine) -> Floats:
    """Bytes one layer keeps for its backward pass, for one micro-batch, without recomputation.

    Split by sequence parallelism: inputs and outputs of the two norms. Split by TP: Q, K, V, the attention's
    output, what its scores keep, gate, up, and their product.
    """
    tokens, size, t = model.sequence * layouts.micro_batch, machine.element_bytes, layouts.tensor
    norms = 4 * layer_input_bytes(model, layouts, machine)
    attention = tokens * (2 * model.hidden + 2 * model.kv_width) * size / t
    ffn = tokens * model.ffn_matrices * model.ffn * size / t
    return norms + attention + ffn + score_bytes(model, layouts, machine)


def score_bytes(model: Transformer, layouts: Layouts, machine: Machine) -> Floats:
    """Bytes that one layer's core attention keeps beside its inputs and output.

    Flash attention keeps the FP32 log-sum-exp of each row; unfused attention keeps scores and probabilities.
    """
    per_head = _FP32 if model.fused_attention else 2 * model.sequence * machine.element_bytes
    return model.sequence * layouts.micro_batch * model.heads * per_head / layouts.tensor


def in_flight_micro_batches(layouts: Layouts, global_batch: int, kind: StageKind) -> Floats:
    """Micro-batches whose activations a stage holds at its peak, in units of the whole stage.

    1F1B: the stages from here to the end. Interleaved: (2(p − r − 1) + (v − 1)p + 1)/v, which on the first stage is
    p(1 + (p − 1)/(pv)) (Narayanan et al. 2021; Korthikanti et al. 2022, §4.2.3). Never more than there are.
    """
    p, v, m = layouts.pipeline, layouts.virtual, layouts.micro_batches(global_batch)
    interleaved = (2 * (p - kind.rank - 1) + (v - 1) * p + 1) / v
    return np.minimum(m, np.where(v > 1, interleaved, p - kind.rank))


def _logits(model: Transformer, layouts: Layouts, machine: Machine, kind: StageKind) -> Floats:
    """Logits, their FP32 softmax and its gradient on the last stage (Megatron's vocabulary-parallel cross entropy)."""
    copies = machine.element_bytes + 2 * _FP32 if machine.precision == "bf16" else 2 * _FP32
    entries = model.sequence * layouts.micro_batch * model.vocab / layouts.tensor
    return np.where(kind.last, entries * copies, 0.0)
