"""Seconds of one optimizer step: a roofline with a handful of named constants from the accelerator's catalog entry.

Matrix products run at a share of peak, everything else moves bytes at a share of memory bandwidth, each layer pays
a fixed overhead, tensor-parallel collectives are exposed, data-parallel ones hide behind one micro-batch, and the
pipeline idles while it fills and drains (Narayanan et al. 2021, §2.2).
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from sixnd.planner.candidates import Floats, Ints, Layouts, StageKind, stage_kinds
from sixnd.planner.machine import Machine
from sixnd.planner.memory import layer_input_bytes, layer_matrix_params, stage_params
from sixnd.planner.transformer import Transformer
from sixnd.specs.plan import PlannedLayout, TimeBreakdown

_FP32 = 4
_BUCKET_PARAMS = 40_000_000
"""Parameters in one gradient bucket (Megatron-core 0.16: max(40M, 1M × DP)); the last one cannot be hidden."""


@dataclass(frozen=True)
class Trainer:
    """Habits of a training program that cost time; the defaults are those of our runner."""

    gradient_bytes: int = _FP32
    """Bytes of one gradient on the wire."""
    overlaps_data_parallel: bool = True
    """Gradients are reduced during the last backward pass, parameters gathered during the first forward pass."""


@dataclass(frozen=True)
class TimeTerms:
    """Seconds by what they are spent on, one entry a candidate; the field names are the document's."""

    compute: Floats
    tensor_parallel: Floats
    pipeline_bubble: Floats
    pipeline_transfer: Floats
    data_parallel: Floats
    optimizer: Floats
    overhead: Floats

    @property
    def total(self) -> Floats:
        """Seconds of a step."""
        return np.asarray(np.sum([getattr(self, f.name) for f in fields(self)], axis=0))


class _Pass(NamedTuple):
    """Seconds of one micro-batch on one stage, forward and backward together."""

    compute: Floats
    tensor_parallel: Floats
    overhead: Floats

    @property
    def total(self) -> Floats:
        return self.compute + self.tensor_parallel + self.overhead


def step_time(
    model: Transformer, layout: PlannedLayout, machine: Machine, global_batch: int, trainer: Trainer | None = None
) -> TimeBreakdown:
    """Seconds of one step of one layout; ``global_batch`` in sequences."""
    terms = time_terms(model, Layouts.of(layout), machine, global_batch, trainer)
    return TimeBreakdown(**{f.name: float(getattr(terms, f.name)[0]) for f in fields(TimeTerms)})


def time_terms(
    model: Transformer, layouts: Layouts, machine: Machine, global_batch: int, trainer: Trainer | None = None
) -> TimeTerms:
    """Seconds of one step of every candidate."""
    trainer = trainer or Trainer(overlaps_data_parallel=not machine.planned.shared_host)
    kinds = stage_kinds(model.architecture, layouts)
    passes = [_stage_pass(model, layouts, machine, kind) for kind in kinds]
    busiest, idle = _busiest_and_idle(layouts, kinds, passes, machine)
    m = layouts.micro_batches(global_batch)
    params = np.max([np.where(k.exists, stage_params(model, layouts, k), 0) for k in kinds], axis=0)
    return TimeTerms(
        compute=m * busiest.compute,
        tensor_parallel=m * busiest.tensor_parallel,
        pipeline_bubble=idle,
        pipeline_transfer=_pipeline_transfer(model, layouts, machine, m),
        data_parallel=_data_parallel(layouts, machine, params, busiest.total, trainer),
        optimizer=_optimizer(layouts, machine, params),
        overhead=m * busiest.overhead,
    )


def _busiest_and_idle(
    layouts: Layouts, kinds: list[StageKind], passes: list[_Pass], machine: Machine
) -> tuple[_Pass, Floats]:
    """The stage that sets the pace, and the seconds it idles while the pipeline fills and drains.

    The critical path of 1F1B holds every micro-batch of the busiest stage and one pass of each other stage; with v
    chunks a stage, 1/v of it. On a shared host nobody idles: who waits leaves the cores to the others, so the pace
    is the mean of the stages.
    """
    p, v = layouts.pipeline, layouts.virtual
    counts = [kind.count for kind in kinds]
    total = sum(n * one.total for n, one in zip(counts, passes, strict=True))
    if machine.planned.shared_host:
        columns = [sum(n * column for n, column in zip(counts, c, strict=True)) / p for c in zip(*passes, strict=True)]
        return _Pass(*columns), np.zeros(len(layouts))
    times = np.stack([np.where(k.exists, one.total, 0.0) for k, one in zip(kinds, passes, strict=True)])
    index = times.argmax(axis=0)
    busiest = _Pass(*(np.choose(index, list(column)) for column in zip(*passes, strict=True)))
    return busiest, (total - busiest.total) / v


def _stage_pass(model: Transformer, layouts: Layouts, machine: Machine, kind: StageKind) -> _Pass:
    tokens = model.sequence * layouts.micro_batch
    passes = 2 * kind.layers + kind.recomputed_layers(layouts)
    layer = layer_forward_s(model, layouts, machine)
    scores = np.where(layouts.recomputes("core_attn"), scores_forward_s(model, layouts, machine), 0.0)
    head = np.where(kind.last, _head_forward_s(model, layouts, machine, tokens), 0.0)
    compute = layer * (kind.layers + passes) + kind.layers * scores + 3 * head
    collectives = passes + np.where(kind.first, 1, 0) + np.where(kind.last, 1, 0)
    tensor_parallel = collectives * _layer_collectives_s(model, layouts, machine)
    overhead = passes * machine.accelerator.efficiency.layer_overhead_s * machine.sharers
    return _Pass(compute, tensor_parallel, overhead)


def layer_forward_s(model: Transformer, layouts: Layouts, machine: Machine) -> Floats:
    """Seconds of one layer's forward pass for one micro-batch on one rank, without collectives and overhead."""
    tokens, t = model.sequence * layouts.micro_batch, layouts.tensor
    products = 2.0 * tokens * layer_matrix_params(model) / t
    weights = layer_matrix_params(model) * machine.element_bytes / t
    moved = tokens * _layer_bytes_per_token(model, layouts) * machine.element_bytes + weights
    return _matmul_s(products, machine) + _memory_s(moved, machine) + scores_forward_s(model, layouts, machine)


def scores_forward_s(model: Transformer, layouts: Layouts, machine: Machine) -> Floats:
    """Seconds of QKᵀ, softmax and the product with V."""
    tokens, t = model.sequence * layouts.micro_batch, layouts.tensor
    flops = 2.0 * tokens * model.hidden * model.sequence / t
    return flops / (machine.planned.peak_flops * machine.accelerator.efficiency.attention)


def _layer_bytes_per_token(model: Transformer, layouts: Layouts) -> Floats:
    """Elements a layer's forward pass moves a token: norms and residuals, then what TP splits.

    Two norms (read, write) and two residual additions (two reads, a write); inputs of the column-parallel and
    outputs of the row-parallel products, whole on every rank; rotary positions, attention's inputs and output,
    the feed-forward's activation, and the products' split sides.
    """
    h, kv, f, t = model.hidden, model.kv_width, model.ffn, layouts.tensor
    whole = 4.0 * h
    norms = 10.0 * h / layouts.sequence_shards
    rotary = 2.0 * (h + kv)
    attention = 2.0 * h + 2.0 * kv
    activation = model.ffn_matrices * f
    split_sides = (h + 2.0 * kv) + h + model.ffn_matrices * f
    return whole + norms + (rotary + attention + activation + split_sides) / t


def _head_forward_s(model: Transformer, layouts: Layouts, machine: Machine, tokens: Ints) -> Floats:
    """Seconds of the logits and their cross entropy: four FP32 passes over the vocabulary."""
    entries = tokens * model.vocab / layouts.tensor
    moved = (
        entries * (machine.element_bytes + 4 * _FP32) + model.embedding_params * machine.element_bytes / layouts.tensor
    )
    return _matmul_s(2.0 * entries * model.hidden, machine) + _memory_s(moved, machine)


def _matmul_s(flops: Floats, machine: Machine) -> Floats:
    return flops / (machine.planned.peak_flops * machine.accelerator.efficiency.matmul)


def _memory_s(moved: Floats, machine: Machine) -> Floats:
    return moved / (machine.memory_bytes_per_s * machine.accelerator.efficiency.memory)


def _layer_collectives_s(model: Transformer, layouts: Layouts, machine: Machine) -> Floats:
    """Seconds of one layer's tensor-parallel collectives in one pass.

    Two all-reduces, or with sequence parallelism two all-gathers and two reduce-scatters, which move as much
    (Korthikanti et al. 2022, §4.2.2).
    """
    t = layouts.tensor
    moved = 4.0 * (t - 1) / t * layer_input_bytes(model, layouts, machine) * layouts.sequence_shards
    return moved / link_bytes_per_s(machine, t, np.ones_like(t))


def link_bytes_per_s(machine: Machine, ranks: Ints, stride: Ints) -> Floats:
    """Bytes a second one rank moves in a ring of ``ranks`` that are ``stride`` apart.

    Inside the scale-up domain the fast links; across nodes the ring enters a node once but uses the network
    adapters of all its members there.
    """
    a, e = machine.accelerator, machine.accelerator.efficiency
    inside = a.scale_up_bytes_per_s * e.scale_up / machine.sharers
    members = np.maximum(1, np.minimum(ranks, a.scale_up_ranks // stride))
    across = np.minimum(inside, members * a.network_bytes_per_s * e.network / machine.sharers)
    return np.where(ranks * stride <= a.scale_up_ranks, inside, across)


def _pipeline_transfer(model: Transformer, layouts: Layouts, machine: Machine, m: Floats) -> Floats:
    """Seconds of activations and their gradients between stages that compute does not hide.

    1F1B waits for each of its 2m transfers; the interleaved schedule hides them but for those of its warm-up and
    cool-down. Tensor-parallel ranks send a share each.
    """
    p, v, t = layouts.pipeline, layouts.virtual, layouts.tensor
    moved = layer_input_bytes(model, layouts, machine) * layouts.sequence_shards / t
    speed = link_bytes_per_s(machine, p, t * layouts.data)
    warm_up = 2 * (p - 1) + (v - 1) * p
    exposed = np.where(v > 1, np.minimum(2 * warm_up, 2 * m * v), 2 * m)
    return np.where(p > 1, exposed * moved / speed, 0.0)


def _data_parallel(
    layouts: Layouts, machine: Machine, params: Floats, micro_batch_s: Floats, trainer: Trainer
) -> Floats:
    """Seconds of the gradients' reduce-scatter and the parameters' all-gather that compute does not hide.

    With overlap they have one micro-batch to hide behind (forward a third of it, backward two thirds); the last
    bucket of gradients, or the first of parameters, is always waited for.
    """
    d = layouts.data
    speed = link_bytes_per_s(machine, d, layouts.tensor)
    share = (d - 1) / d * params / speed
    reduce, gather = share * trainer.gradient_bytes, share * machine.element_bytes
    if not trainer.overlaps_data_parallel:
        return reduce + gather
    bucket = np.minimum(1.0, np.maximum(_BUCKET_PARAMS, 1e6 * d) / params)
    hidden = [(reduce, micro_batch_s * 2 / 3), (gather, micro_batch_s / 3)]
    return sum((np.maximum(t * bucket, t - window) for t, window in hidden), np.zeros(len(layouts)))


def _optimizer(layouts: Layouts, machine: Machine, params: Floats) -> Floats:
    """Seconds of clipping and AdamW on this rank's shard, and of clearing gradients: bytes over bandwidth.

    A parameter of the shard: its gradient read twice, master weight and two moments read and written, the working
    weight written.
    """
    shard = 2 * _FP32 + 6 * _FP32 + (machine.element_bytes if machine.precision == "bf16" else 0)
    return _memory_s(params / layouts.data * shard + params * _FP32, machine)
