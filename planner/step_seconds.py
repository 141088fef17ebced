"""Seconds of a step of any catalogued decoder, in any precision and layout: counted work over fitted rates.

The general successor of ``steptime``, which still costs the layouts that ``sixnd plan`` searches: this one knows
context and expert parallelism, precisions below BF16, tile and wave quantisation and sharded weights. It is held
against published runs by the benchmark ``cost_truth``.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

from sixnd.planner.split import Split
from sixnd.planner.step_work import Habits, Work, work
from sixnd.specs.families import Architecture
from sixnd.specs.step_family import Device, Products, StepFamily

_FUSED_BACKWARD = 2.5
"""Fused attention recomputes its scores: five products in the backward pass for two in the forward (Dao 2023)."""
_HIDES = 0.7
"""Share of a micro-batch's compute that gathering of sharded weights can hide behind."""
_OPTIMIZER_BYTES = 34
"""A parameter of the shard: gradient read twice, master weight and two moments read and written, weight written."""
_CLEARED_BYTES = 4
_RING_EXPOSED = 0.3
"""Share of context-parallel transfers that attention does not hide; an assumption, few rows have any."""
_INTERLEAVED_EXPOSED = 0.2
"""Share of stage-to-stage transfers that the interleaved schedule does not hide; an assumption."""


@dataclass(frozen=True)
class StepSeconds:
    """Seconds of one step by what they are spent on."""

    compute: float
    tensor_parallel: float
    expert_parallel: float
    context_parallel: float
    pipeline_bubble: float
    pipeline_transfer: float
    weight_gathering: float
    data_parallel: float
    optimizer: float
    overhead: float

    @property
    def total(self) -> float:
        """Seconds of a step."""
        return float(sum(getattr(self, f.name) for f in fields(self)))


@dataclass(frozen=True)
class Setting:
    """Where and how a step runs."""

    family: StepFamily
    device: Device
    precision: Products
    habits: Habits


class _Run(NamedTuple):
    work: Work
    split: Split
    setting: Setting
    recomputed: float
    """Share of layers that run forward twice."""

    @property
    def passes(self) -> float:
        """Forward passes' worth of a layer's work: forward, backward twice, and what is recomputed."""
        return 3 + self.recomputed

    @property
    def product_passes(self) -> float:
        """The same of matrix products, whose gradients by weights adapters do without."""
        return self.passes - (1 if self.setting.habits.adapters else 0)

    def product_s(self, flops: float, precision: Products) -> float:
        return flops / (self.setting.device.peak_flops[precision] * self.setting.family.matmul[precision])

    def memory_s(self, moved: float) -> float:
        return moved / (self.setting.device.memory_bytes_per_s * self.setting.family.memory)

    @property
    def near(self) -> float:
        """Bytes a second inside an NVLink domain."""
        return self.setting.device.scale_up_bytes_per_s * self.setting.family.scale_up

    @property
    def far(self) -> float:
        """Bytes a second one rank sends across nodes."""
        return self.setting.device.network_bytes_per_s * self.setting.family.network

    def ring(self, ranks: int, stride: int) -> float:
        """Bytes a second in a ring; across domains it uses the network adapters of all its members in one."""
        domain = self.setting.device.scale_up_ranks
        members = max(1, min(ranks, domain // stride))
        return self.near if ranks * stride <= domain else min(self.near, members * self.far)


def step_seconds(model: Architecture, split: Split, sequence: int, setting: Setting) -> StepSeconds:
    """Seconds of one step; ``split.micro_batches`` micro-batches a replica."""
    counted = work(model, split, sequence, setting.device, setting.habits)
    run = _Run(counted, split, setting, _recomputed(model, split))
    layers, overhead = _layers_s(run), _overhead_s(run)
    tensor, expert, context = _tensor_s(run), _expert_s(run), _context_s(run)
    stage = layers + overhead + tensor + expert + context
    m, p = split.micro_batches, split.pipeline
    compute = layers + _last_stage_s(run, model, stage)
    gathering = _gathering_s(run, stage) if p == 1 else 0.0
    return StepSeconds(
        compute=m * compute,
        tensor_parallel=m * tensor,
        expert_parallel=m * expert,
        context_parallel=m * context,
        pipeline_bubble=(p - 1) / split.virtual * stage,
        pipeline_transfer=_transfer_s(run),
        weight_gathering=m * gathering,
        data_parallel=_data_s(run, stage),
        optimizer=_optimizer_s(run),
        overhead=m * overhead + setting.family.step_overhead_s,
    )


def relative_error(model: Architecture, family: StepFamily) -> float:
    """Half-width of the 80 % interval of step time, by ratio."""
    return family.relative_error if model.experts is None else family.expert_relative_error


def _recomputed(model: Architecture, split: Split) -> float:
    again = split.recomputation
    if not again.full:
        return 0.0
    return 1.0 if again.layers is None else min(1.0, again.layers * split.pipeline * split.virtual / model.layers)


def _layers_s(run: _Run) -> float:
    """Seconds of a stage's layers, forward and backward."""
    counted, family, precision = run.work, run.setting.family, run.setting.precision
    products = run.product_s(counted.products, precision) * (family.misaligned if counted.misaligned else 1.0)
    experts = run.product_s(counted.expert_products / family.expert_matmul, precision)
    moved = counted.moved + counted.expert_moved
    if precision != "bf16":
        moved += family.cast * counted.moved / 2
    return (products + experts) * run.product_passes + run.memory_s(moved) * run.passes + _scores_s(run)


def _scores_s(run: _Run) -> float:
    counted, habits, family = run.work, run.setting.habits, run.setting.family
    again = run.recomputed + ("core_attn" in run.split.recomputation.modules)
    if not habits.fused_attention:
        once = run.product_s(counted.scores, "bf16") + run.memory_s(counted.score_bytes)
        return once * (3 + again)
    share = family.attention_flash2 if habits.flash2 else family.attention
    once = counted.scores / (run.setting.device.peak_flops["bf16"] * share)
    return once * (1 + _FUSED_BACKWARD + again)


def _overhead_s(run: _Run) -> float:
    family, counted = run.setting.family, run.work
    fixed = counted.layers * family.layer_overhead_s + counted.expert_layers * family.expert_overhead_s
    return fixed * run.passes


def _tensor_s(run: _Run) -> float:
    moved = run.work.tensor_bytes * (2 + run.recomputed) * run.setting.family.exposed_tensor
    return moved / run.ring(run.split.tensor, 1)


def _expert_s(run: _Run) -> float:
    once = run.work.expert_scale_up_bytes / run.near + run.work.expert_network_bytes / run.far
    return once * (2 + run.recomputed)


def _context_s(run: _Run) -> float:
    inside = run.split.context * run.split.tensor <= run.setting.device.scale_up_ranks
    return run.work.context_bytes / (run.near if inside else run.far) * 2 * _RING_EXPOSED


def _last_stage_s(run: _Run, model: Architecture, stage: float) -> float:
    """Seconds by which the last stage's head, loss and further predictions lengthen a micro-batch.

    Where layers do not divide by the stages, the ends are taken to hold fewer, as Megatron's embedding and loss that
    count as a layer each.
    """
    products = run.product_s(run.work.head + run.work.predictions, "bf16") * 3
    head = products + run.memory_s(run.work.logits * run.setting.family.bytes_per_logit)
    p = run.split.pipeline
    if p == 1 or model.layers % p == 0:
        return head
    layer = stage / run.work.layers
    return max(0.0, head - layer) + 2 * layer / p


def _gathering_s(run: _Run, stage: float) -> float:
    """Seconds of gathering sharded weights twice and scattering gradients once that compute does not hide."""
    ranks = run.split.data * run.split.context
    if not run.setting.habits.sharded_weights or ranks == 1:
        return 0.0
    domain = run.setting.device.scale_up_ranks
    speed = run.near if ranks <= domain else min(run.near, domain * run.far)
    whole = 4 * 2 * run.work.params * (ranks - 1) / ranks / speed  # BF16 weights twice, FP32 gradients once
    return max(whole - _HIDES * stage, whole * run.setting.family.exposed_gather)


def _transfer_s(run: _Run) -> float:
    split = run.split
    if split.pipeline == 1:
        return 0.0
    inside = 2 * split.tensor * split.data * split.context <= run.setting.device.scale_up_ranks
    exposed = _INTERLEAVED_EXPOSED if split.virtual > 1 else 1.0
    return 2 * split.micro_batches * run.work.stage_bytes / (run.near if inside else run.far) * exposed


def _expert_replicas(run: _Run) -> float:
    """Ranks that hold the same routed experts; they are spread over tensor-parallel ranks too."""
    split = run.split
    return max(1.0, split.tensor * split.data * split.context / (split.expert * split.expert_tensor))


def _data_s(run: _Run, stage: float) -> float:
    """Seconds of the gradients' reduce-scatter and the parameters' all-gather that compute does not hide."""
    habits = run.setting.habits
    if habits.adapters:
        return 0.0
    ranks, replicas = run.split.data * run.split.context, _expert_replicas(run)
    speed = run.ring(ranks, run.split.tensor)
    dense = 0.0 if habits.sharded_weights else run.work.params * (ranks - 1) / ranks
    moved = (dense + run.work.expert_params * (replicas - 1) / replicas) * (2 + habits.gradient_bytes)
    whole = moved / speed
    return max(whole - stage, whole * run.setting.family.exposed_data) if habits.overlaps else whole


def _optimizer_s(run: _Run) -> float:
    if run.setting.habits.adapters:
        return 0.0
    counted, shards = run.work, run.split.optimizer_shards
    shard = counted.params / shards + counted.expert_params / _expert_replicas(run)
    return run.memory_s(shard * _OPTIMIZER_BYTES + (counted.params + counted.expert_params) * _CLEARED_BYTES)
