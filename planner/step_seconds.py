"""Seconds of a step of any decoder, in any precision and layout: counted work over fitted rates.

One pass of numpy over layouts, in blocks that stay in cache. The pace is set by the busiest stage (1F1B, Narayanan et
al. 2021, §2.2). It is held against published runs by the benchmark ``cost_truth``; docs/step-time.md has the errors.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from sixnd.planner.candidates import Floats, Ints, Layouts, StageKind, stage_kinds
from sixnd.planner.runtime import Runtime
from sixnd.planner.step_rates import Rates, rates_of
from sixnd.planner.step_work import Module, Work, work
from sixnd.specs.families import Architecture
from sixnd.specs.step_family import StepFamily

_BLOCK = 8192
"""Layouts evaluated at once: their columns and temporaries stay in a core's cache."""
_NORM_SHARE = 0.4
"""Of what norms and residual additions move: two norms read and write, two additions read twice and write."""
_HIDES = 0.7
"""Share of a micro-batch's compute that gathering of sharded weights can hide behind."""
_OPTIMIZER_BYTES = 32
"""A parameter of the shard: gradient read twice, master weight and two moments read and written; all FP32."""
_CLEARED_BYTES = 4
_RING_EXPOSED = 0.3
"""Share of context-parallel transfers that attention does not hide; an assumption, few rows have any."""


@dataclass(frozen=True)
class StepSeconds:
    """Seconds of one step by what they are spent on, one entry a layout."""

    compute: Floats
    tensor_parallel: Floats
    expert_parallel: Floats
    context_parallel: Floats
    pipeline_bubble: Floats
    pipeline_transfer: Floats
    weight_gathering: Floats
    data_parallel: Floats
    optimizer: Floats
    overhead: Floats

    @property
    def total(self) -> Floats:
        """Seconds of a step."""
        return np.asarray(sum(getattr(self, f.name) for f in fields(self)))


class _Layer(NamedTuple):
    """Seconds of one layer and micro-batch on one rank."""

    compute: Floats
    tensor: Floats
    expert: Floats
    context: Floats
    overhead: Floats

    @property
    def total(self) -> Floats:
        return self.compute + self.tensor + self.expert + self.context + self.overhead


class _Layers(NamedTuple):
    """A dense layer and one with experts, forward and backward; and what running them forward again adds."""

    dense: _Layer
    sparse: _Layer
    dense_again: _Layer
    sparse_again: _Layer


class _Held(NamedTuple):
    """What a stage holds."""

    dense: Floats
    sparse: Floats
    dense_again: Floats
    """Layers whose forward pass runs again."""
    sparse_again: Floats
    head: Floats

    def seconds(self, layers: "_Layers", head: Floats) -> Floats:
        """Seconds of one micro-batch, forward and backward."""
        counted = zip((self.dense, self.sparse, self.dense_again, self.sparse_again), layers, strict=True)
        return np.asarray(sum(n * layer.total for n, layer in counted) + self.head * head)

    def part(self, layers: "_Layers", name: str) -> Floats:
        """Of these the seconds of one field of a layer."""
        counted = zip((self.dense, self.sparse, self.dense_again, self.sparse_again), layers, strict=True)
        return np.asarray(sum(n * getattr(layer, name) for n, layer in counted))


def step_seconds(
    model: Architecture, layouts: Layouts, sequence: int, global_batch: float, runtime: Runtime
) -> StepSeconds:
    """Seconds of one step of every layout; ``sequence`` in tokens, ``global_batch`` in sequences."""
    rates = rates_of(model, runtime)
    starts = range(0, max(1, len(layouts)), _BLOCK)
    blocks = [layouts.pick(slice(start, start + _BLOCK)) for start in starts]
    found = [
        seconds_of(
            work(model, b, sequence, runtime),
            stage_kinds(model, b),
            b,
            global_batch / (b.data * b.micro_batch),
            rates,
        )
        for b in blocks
    ]
    if len(found) == 1:
        return found[0]
    return StepSeconds(*(np.concatenate([getattr(one, f.name) for one in found]) for f in fields(StepSeconds)))


def stage_seconds(model: Architecture, layouts: Layouts, sequence: int, runtime: Runtime) -> list[Floats]:
    """Seconds of one micro-batch, forward and backward, on each of ``candidates.stage_kinds``."""
    counted, rates = work(model, layouts, sequence, runtime), rates_of(model, runtime)
    layers, head = _layers(counted, layouts, rates), _head_s(counted, rates)
    return [_held(kind, counted, layouts).seconds(layers, head) for kind in stage_kinds(model, layouts)]


def relative_error(model: Architecture, family: StepFamily) -> float:
    """Half-width of the 80 % interval of step time, by ratio."""
    return family.relative_error if model.experts is None else family.expert_relative_error


def seconds_of(
    counted: Work, kinds: list[StageKind], layouts: Layouts, micro_batches: Floats, rates: Rates
) -> StepSeconds:
    """Seconds of counted work; all arguments may be columns of different models on different machines."""
    layers, head = _layers(counted, layouts, rates), _head_s(counted, rates)
    held = [_held(kind, counted, layouts) for kind in kinds]
    times = [one.seconds(layers, head) for one in held]
    pace = _pace(kinds, held, times, layouts, rates)
    busiest = pace.seconds(layers, head)
    total = sum(kind.count * time for kind, time in zip(kinds, times, strict=True))
    m = micro_batches
    parts = {name: m * pace.part(layers, name) for name in _Layer._fields}
    params, expert_params = _params(kinds, held, counted, layouts)
    idle = np.where(rates.shared, 0.0, (total - busiest) / layouts.virtual)
    return StepSeconds(
        compute=parts["compute"] + m * pace.head * head,
        tensor_parallel=parts["tensor"] + m * _ends_s(counted, layouts, rates),
        expert_parallel=parts["expert"],
        context_parallel=parts["context"],
        pipeline_bubble=np.maximum(idle, 0.0),
        pipeline_transfer=_transfer_s(counted, layouts, m, rates),
        weight_gathering=m * _gathering_s(layouts, params, busiest, rates),
        data_parallel=_data_s(layouts, params, expert_params, busiest, rates),
        optimizer=_optimizer_s(layouts, params, expert_params, rates),
        overhead=parts["overhead"] + rates.step_overhead_s,
    )


def _held(kind: StageKind, counted: Work, layouts: Layouts) -> _Held:
    """Layers of a stage of that kind; modules of multi-token prediction are layers of the last one."""
    share = kind.recomputed_layers(layouts) / np.maximum(kind.layers, 1)  # the ends may hold none
    more = np.where(kind.last, counted.predictions, 0.0)
    sparse = kind.expert_layers + np.where(counted.has_experts, more, 0.0)
    dense = kind.layers - kind.expert_layers + np.where(counted.has_experts, 0.0, more)
    return _Held(dense, sparse, dense * share, sparse * share, np.where(kind.last, 1.0 + counted.predictions, 0.0))


def _pace(kinds: list[StageKind], held: list[_Held], times: list[Floats], layouts: Layouts, rates: Rates) -> _Held:
    """What the busiest stage holds; on a shared host the mean stage, since who waits leaves the cores to the others."""
    pace, slowest = held[0], times[0]
    for kind, one, time in zip(kinds[1:], held[1:], times[1:], strict=True):
        slower = kind.exists & (time > slowest)
        slowest = np.where(slower, time, slowest)
        pace = _Held(*(np.where(slower, new, old) for new, old in zip(one, pace, strict=True)))
    if not np.any(rates.shared):
        return pace
    counts = [kind.count / layouts.pipeline for kind in kinds]
    mean = [sum(n * column for n, column in zip(counts, columns, strict=True)) for columns in zip(*held, strict=True)]
    return _Held(*(np.where(rates.shared, m, old) for m, old in zip(mean, pace, strict=True)))


def _layers(counted: Work, layouts: Layouts, rates: Rates) -> _Layers:
    """Seconds of both kinds of layers."""
    attention, attention_again = _attention_s(counted, layouts, rates)
    ffn, ffn_again = _feed_forward_s(counted, layouts, rates)
    experts, experts_again = _experts_s(counted, layouts, rates)
    tensor = _tensor_s(counted, layouts, rates)
    sent = counted.expert_scale_up_bytes / rates.near + counted.expert_network_bytes / rates.far
    sent = np.where(rates.hides_dispatch, sent * rates.exposed_dispatch, sent)
    dispatches = 2 + layouts.recomputes("moe")
    inside = layouts.context * layouts.tensor <= rates.domain
    ring = counted.context_bytes / np.where(inside, rates.near, rates.far) * _RING_EXPOSED
    fixed, more = rates.layer_overhead_s, rates.layer_overhead_s + rates.expert_overhead_s
    zero = np.zeros_like(attention)
    launch = rates.launch_s
    return _Layers(
        _launched(_Layer(attention + ffn, 2 * tensor, zero, 2 * ring, 3 * fixed + zero), 3 * launch),
        _launched(_Layer(attention + experts, 2 * tensor, dispatches * sent, 2 * ring, 3 * more + zero), 3 * launch),
        _launched(_Layer(attention_again + ffn_again, tensor, zero, ring, fixed + zero), launch),
        _launched(_Layer(attention_again + experts_again, tensor, sent, ring, more + zero), launch),
    )


def _launched(layer: _Layer, host_s: Floats | float) -> _Layer:
    """A layer takes at least as long as the host needs to launch its kernels; what the device waits is overhead."""
    return layer._replace(overhead=layer.overhead + np.maximum(0.0, host_s - layer.total))


def _tensor_s(counted: Work, layouts: Layouts, rates: Rates) -> Floats:
    """Tensor-parallel collectives of one layer's pass that compute does not hide: two all-reduces, or as much."""
    latency = np.where(layouts.tensor > 1, 2 * rates.collective_s, 0.0)
    return (counted.tensor_bytes / _ring(layouts.tensor, 1, rates) + latency) * rates.exposed_tensor


def _module_s(module: Module, product: Floats | float, byte: Floats | float, rates: Rates) -> tuple[Floats, Floats]:
    """Seconds of a module forward and backward, and forward alone."""
    products, moved = module.products * product, module.moved * byte
    return products * rates.product_passes + moved * 3, products + moved


def _attention_s(counted: Work, layouts: Layouts, rates: Rates) -> tuple[Floats, Floats]:
    """Attention and norms: seconds forward and backward with what is recomputed alone, and forward."""
    scores = counted.scores * rates.score + counted.score_bytes * rates.byte
    norms = counted.norms * rates.dense_byte
    both, forward = _module_s(counted.attention, rates.product, rates.dense_byte, rates)
    again = layouts.recomputes("core_attn") * scores + layouts.recomputes("layernorm") * (norms * _NORM_SHARE)
    again += layouts.recomputes("mla_up_proj") * (counted.up_projection * rates.product)
    return both + norms * 3 + scores * (1 + rates.score_backward) + again, forward + norms + scores


def _feed_forward_s(counted: Work, layouts: Layouts, rates: Rates) -> tuple[Floats, Floats]:
    both, forward = _module_s(counted.ffn, rates.product, rates.dense_byte, rates)
    return both + layouts.recomputes("mlp") * forward, forward


def _experts_s(counted: Work, layouts: Layouts, rates: Rates) -> tuple[Floats, Floats]:
    """Shared and routed experts."""
    shared, shared_again = _module_s(counted.shared, rates.product, rates.dense_byte, rates)
    both, forward = _module_s(counted.experts, rates.expert_product, rates.byte, rates)
    activation = counted.activation * rates.byte
    again = layouts.recomputes("moe_act") * activation + layouts.recomputes("shared_experts") * shared_again
    again += layouts.recomputes("moe") * (shared_again + forward + activation)
    return shared + both + activation * 3 + again, shared_again + forward + activation


def _head_s(counted: Work, rates: Rates) -> Floats:
    """Seconds of logits and loss of one micro-batch, and the joining of inputs of each further prediction."""
    products = (counted.head + counted.prediction * (counted.predictions > 0)) * rates.wide_product
    return np.asarray(products * rates.product_passes + counted.logits * rates.byte * rates.bytes_per_logit)


def _ring(ranks: Ints, stride: Ints | int, rates: Rates) -> Floats:
    """Bytes a second in a ring; across domains it uses the network adapters of all its members in one."""
    members = np.maximum(1, np.minimum(ranks, rates.domain // stride))
    return np.where(ranks * stride <= rates.domain, rates.near, np.minimum(rates.near, members * rates.far))


def _ends_s(counted: Work, layouts: Layouts, rates: Rates) -> Floats:
    """Tensor-parallel collectives of the embedding's output and of the head's input, half a layer's in one pass each.

    With one stage both are its own; else they are the ends', one each.
    """
    passes = np.where(layouts.pipeline == 1, 1.0, 0.5)
    return passes * _tensor_s(counted, layouts, rates)


def _transfer_s(counted: Work, layouts: Layouts, micro_batches: Floats, rates: Rates) -> Floats:
    """Seconds of activations and their gradients between stages that compute does not hide.

    1F1B waits for each of its 2m transfers; the interleaved schedule hides them but for those of its warm-up and
    cool-down.
    """
    p, v, m = layouts.pipeline, layouts.virtual, micro_batches
    inside = 2 * layouts.tensor * layouts.data * layouts.context <= rates.domain
    warm_up = 2 * (p - 1) + (v - 1) * p
    exposed = np.where(v > 1, np.minimum(2 * warm_up, 2 * m * v), 2 * m)
    return np.where(p > 1, exposed * counted.stage_bytes / np.where(inside, rates.near, rates.far), 0.0)


def _params(kinds: list[StageKind], held: list[_Held], counted: Work, layouts: Layouts) -> tuple[Floats, Floats]:
    """Dense and routed parameters of a rank, each of the stage that has most."""
    twice = np.where((layouts.pipeline == 1) & ~counted.tied, 2, 1)
    dense, routed = np.zeros(len(layouts)), np.zeros(len(layouts))
    for kind, one in zip(kinds, held, strict=True):
        ends = (kind.first | kind.last) * twice * counted.embedding_params
        params = one.dense * counted.dense_params + one.sparse * counted.sparse_params + ends
        dense = np.maximum(dense, kind.exists * params)
        routed = np.maximum(routed, kind.exists * one.sparse * counted.expert_params)
    return dense, routed


def _gathering_s(layouts: Layouts, params: Floats, busiest: Floats, rates: Rates) -> Floats:
    """Seconds of gathering sharded weights twice and scattering gradients once that compute does not hide."""
    if not np.any(rates.sharded_weights):
        return np.zeros(len(layouts))
    ranks = layouts.optimizer_shards
    speed = np.where(ranks <= rates.domain, rates.near, np.minimum(rates.near, rates.domain * rates.far))
    whole = 4 * 2 * params * (ranks - 1) / ranks / speed  # BF16 weights twice, FP32 gradients once
    exposed = np.maximum(whole - _HIDES * busiest, whole * rates.exposed_gather)
    return np.where(rates.sharded_weights & (layouts.pipeline == 1), exposed, 0.0)


def _data_s(layouts: Layouts, params: Floats, expert_params: Floats, busiest: Floats, rates: Rates) -> Floats:
    """Seconds of the gradients' reduce-scatter and the parameters' all-gather that compute does not hide."""
    ranks, replicas = layouts.optimizer_shards, layouts.expert_replicas
    dense = np.where(rates.sharded_weights, 0.0, params * (ranks - 1) / ranks)
    routed = expert_params * np.maximum(replicas - 1, 0) / replicas
    moved = (dense + routed) * (rates.element_bytes + rates.gradient_bytes) * rates.learning
    whole = moved / _ring(ranks, layouts.tensor, rates)
    hidden = np.maximum(whole - busiest, whole * rates.exposed_data)
    return np.where(rates.overlaps, hidden, whole)


def _optimizer_s(layouts: Layouts, params: Floats, expert_params: Floats, rates: Rates) -> Floats:
    """Seconds of clipping, AdamW and writing weights of this rank's shard, and of clearing gradients."""
    shards = np.where(rates.sharded_optimizer, layouts.optimizer_shards, 1)
    shard = params / shards + expert_params / np.maximum(layouts.expert_replicas, 1)
    written = np.where(rates.element_bytes == 4, 0, rates.element_bytes)
    moved = shard * (_OPTIMIZER_BYTES + written) + (params + expert_params) * _CLEARED_BYTES
    return np.asarray(moved * rates.byte * rates.learning)
