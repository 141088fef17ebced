"""Bytes on the fullest rank of what our runner trains, for every candidate layout at once.

Activations follow Korthikanti et al., "Reducing Activation Recomputation in Large Transformer Models" (2022), §4,
adapted to what our model is: no dropout, RMSNorm, flash attention, grouped-query attention, gated feed-forward. The
same bytes, for any decoder and split, are counted by ``stage_memory``, which a test holds this against and which is
held against measured ranks. A stage peaks in the backward pass of a layer, of the loss and head, or of the embedding.
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
    kinds = stage_kinds(model.architecture, layouts)
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
    kinds = stage_kinds(model.architecture, layouts)
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
    activations, logits = _peak(model, layouts, machine, global_batch, kind)
    held = parameters + gradients + optimizer + activations + logits
    overhead = machine.accelerator.process_bytes + machine.accelerator.allocator_slack * held
    return MemoryTerms(parameters, gradients, optimizer, activations, logits, overhead, np.full(len(layouts), index))


def stage_params(model: Transformer, layouts: Layouts, kind: StageKind) -> Floats:
    """Parameters that one rank of a stage holds; norms are whole on every tensor-parallel rank.

    Key and value heads are split too where TP exceeds their number (Megatron gathers them in the forward pass).
    """
    t = layouts.tensor
    per_layer = layer_matrix_params(model) / t + 2 * model.hidden
    embedding = model.embedding_params / t
    twice = kind.first & kind.last & model.tied  # one matrix serves as embedding and head
    return (
        kind.layers * per_layer
        + np.where(kind.first, embedding, 0)
        + np.where(kind.last & ~twice, embedding, 0)
        + np.where(kind.last, model.hidden, 0)
    )


def layer_matrix_params(model: Transformer) -> int:
    """Weights of one layer's matrices: query, key, value, projection, feed-forward."""
    attention = 2 * model.hidden * (model.hidden + model.kv_width)
    return attention + model.ffn_matrices * model.hidden * model.ffn


def _peak(
    model: Transformer, layouts: Layouts, machine: Machine, global_batch: int, kind: StageKind
) -> tuple[Floats, Floats]:
    """(activations with what passes through, logits) at the stage's peak."""
    boundary = layer_input_bytes(model, layouts, machine)
    gathered = boundary * layouts.sequence_shards  # the same tensor, whole
    layers, after = _kept_by_layers(model, layouts, machine, kind)
    in_flight = in_flight_micro_batches(layouts, global_batch, kind)
    held, earlier = layers * in_flight, layers * (in_flight - 1)
    flow = boundary + np.where(layouts.sequence_shards > 1, 2 * gathered, 0.0)
    layer = held + flow + _feed_forward_gradients(model, layouts, machine)
    layer = layer + np.maximum(_recomputed(model, layouts, machine) - after, 0.0)
    embedding = model.embedding_params / layouts.tensor * machine.element_bytes  # or head: its gradient
    ends = 2 * boundary + np.where(layouts.sequence_shards > 1, 2 * gathered + boundary, gathered) + embedding
    logits = _logits(model, layouts, machine)
    loss = np.where(kind.last, held + ends, 0.0)
    first = np.where(kind.first, earlier + embedding + boundary, 0.0)
    at_loss = loss + np.where(kind.last, logits, 0.0) >= np.maximum(layer, first)
    return np.where(at_loss, loss, np.maximum(layer, first)), np.where(at_loss, logits, 0.0)


def _kept_by_layers(model: Transformer, layouts: Layouts, machine: Machine, kind: StageKind) -> tuple[Floats, Floats]:
    """Bytes the stage's layers keep for one micro-batch, and those of them behind the last recomputed layer."""
    whole, recomputed = layer_activation_bytes(model, layouts, machine), kind.recomputed_layers(layouts)
    kept = np.where(layouts.recomputes("core_attn"), whole - score_bytes(model, layouts), whole)
    others = (kind.layers - recomputed) * kept
    layers = recomputed * layer_input_bytes(model, layouts, machine) + others
    return layers, np.where(layouts.recompute_full, others / layouts.virtual, 0.0)


def _recomputed(model: Transformer, layouts: Layouts, machine: Machine) -> Floats:
    """Bytes that recomputation brings back while the backward pass of one layer runs."""
    whole = layer_activation_bytes(model, layouts, machine)
    scores = np.where(layouts.recomputes("core_attn"), score_bytes(model, layouts), 0.0)
    return np.where(layouts.recompute_full, whole - layer_input_bytes(model, layouts, machine), scores)


def _feed_forward_gradients(model: Transformer, layouts: Layouts, machine: Machine) -> Floats:
    """Gradients of gate and up, and of their weight: the largest that a layer's backward pass holds at once.

    Our runner does not fuse gradient accumulation: a weight's gradient is made, added to the main one, and let go.
    """
    units = (model.ffn_matrices - 1) * model.ffn / layouts.tensor
    return np.asarray(units * (model.sequence * layouts.micro_batch + model.hidden) * machine.element_bytes)


def layer_input_bytes(model: Transformer, layouts: Layouts, machine: Machine) -> Floats:
    """Bytes of one layer's input for one micro-batch: s·b·h elements, split under sequence parallelism."""
    tokens = model.sequence * layouts.micro_batch
    return np.asarray(tokens * model.hidden * machine.element_bytes / layouts.sequence_shards)


def layer_activation_bytes(model: Transformer, layouts: Layouts, machine: Machine) -> Floats:
    """Bytes one layer keeps for its backward pass, for one micro-batch, without recomputation.

    Split by sequence parallelism: inputs and outputs of the two norms. Split by TP: Q, K, V, the attention's
    output, what its scores keep, gate, up, and their product. On a CPU, without Transformer Engine, layers are
    Megatron's own on plain PyTorch: each norm keeps its normed input too, keys and values are repeated for every
    query head, and gate · SiLU keeps two more of its steps (``tests/runner/test_kept_tensors.py`` counts them).
    """
    tokens, size, t = model.sequence * layouts.micro_batch, machine.element_bytes, layouts.tensor
    plain = machine.accelerator.kind == "cpu"
    norms = (6 if plain else 4) * layer_input_bytes(model, layouts, machine)
    attention = tokens * (2 * model.hidden + 2 * (model.hidden if plain else model.kv_width)) * size / t
    ffn = tokens * (model.ffn_matrices + (2 if plain else 0)) * model.ffn * size / t
    return norms + attention + ffn + score_bytes(model, layouts)


def score_bytes(model: Transformer, layouts: Layouts) -> Floats:
    """Bytes that one layer's core attention keeps beside its inputs and output.

    Flash attention keeps the FP32 log-sum-exp of each row.
    """
    return model.sequence * layouts.micro_batch * model.heads * _FP32 / layouts.tensor


def in_flight_micro_batches(layouts: Layouts, global_batch: int, kind: StageKind) -> Floats:
    """Micro-batches whose activations a stage holds at its peak, in units of the whole stage.

    1F1B: the stages from here to the end. Interleaved: (2(p − r − 1) + (v − 1)p + 1)/v, which on the first stage is
    p(1 + (p − 1)/(pv)) (Narayanan et al. 2021; Korthikanti et al. 2022, §4.2.3). Never more than there are.
    """
    p, v, m = layouts.pipeline, layouts.virtual, layouts.micro_batches(global_batch)
    interleaved = (2 * (p - kind.rank - 1) + (v - 1) * p + 1) / v
    return np.minimum(m, np.where(v > 1, interleaved, p - kind.rank))


def _logits(model: Transformer, layouts: Layouts, machine: Machine) -> Floats:
    """Logits and, where they are BF16, the FP32 softmax that becomes their gradient.

    Megatron's vocabulary-parallel cross entropy computes softmax and gradient in place, on an FP32 copy.
    """
    copies = machine.element_bytes + (_FP32 if machine.element_bytes < _FP32 else 0)
    return np.asarray(model.sequence * layouts.micro_batch * model.vocab / layouts.tensor * copies)
