"""Bytes on a rank of every pipeline stage, for any decoder and split: what is held, and when it peaks.

A stage's allocated peak is the largest of these moments: the forward pass of a layer in its last micro-batch in
flight, the backward pass of the loss and head, that of a layer, and the embedding's gradient.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sixnd.planner import model as counts
from sixnd.planner.activations import (
    Tokens,
    backward_extra,
    forward_extra,
    layer_bytes,
    offloaded_bytes,
    weight_gradient,
)
from sixnd.planner.split import Recomputation, Software, Split, StateBytes
from sixnd.specs.families import Architecture


@dataclass(frozen=True)
class StageMemory:
    """Bytes on one rank of a stage at its peak; they sum to what the tensors hold."""

    stage: int
    parameters: float
    gradients: float
    optimizer: float
    activations: float
    """Kept by layers and norms for the backward passes in flight."""
    logits: float
    passing: float
    """Gradients, gathered inputs and recomputed activations that are alive at the peak only."""
    buffers: float
    """What libraries keep: workspaces, placeholders of weight gradients."""
    moment: str
    """When the peak is."""

    @property
    def states(self) -> float:
        """Parameters, gradients and optimizer."""
        return self.parameters + self.gradients + self.optimizer

    @property
    def allocated(self) -> float:
        """Bytes that tensors hold at the peak: torch's ``max_memory_allocated``."""
        return self.states + self.activations + self.logits + self.passing + self.buffers

    @property
    def fills(self) -> str:
        """The component that takes most."""
        names = ("parameters", "gradients", "optimizer", "activations", "logits", "passing", "buffers")
        return max(names, key=lambda name: float(getattr(self, name)))


@dataclass(frozen=True)
class RankParams:
    """Parameters on one rank, by what their optimizer is split over."""

    dense: float
    """Everything but routed experts."""
    experts: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.dense + self.experts


@dataclass(frozen=True)
class _Layer:
    """Bytes of one kind of layer for one micro-batch."""

    whole: float
    """Kept where nothing is recomputed, and while its backward pass runs."""
    kept: float
    """Kept without full recomputation: less what modules alone make again, and what waits in host memory."""
    forward: float
    """Alive in its forward pass beside what it keeps."""
    backward: float
    """Alive in its backward pass beside what it keeps."""


_Kinds = dict[bool, _Layer]
"""Layers by whether they hold experts."""


@dataclass(frozen=True)
class _Moment:
    name: str
    activations: float
    logits: float
    passing: float

    @property
    def total(self) -> float:
        return self.activations + self.logits + self.passing


def stages(
    model: Architecture, split: Split, sequence: int, state: StateBytes | None = None, software: Software | None = None
) -> list[StageMemory]:
    """Every stage's bytes at its peak; the model's vocabulary is padded already."""
    at = Tokens(model, split, software or Software(), sequence)
    kinds = {one: _layer(at, one) for one in {counts.has_experts(model, i) for i in range(model.layers)}}
    return [_stage(at, kinds, state or StateBytes(), stage) for stage in range(split.pipeline)]


def _layer(at: Tokens, with_experts: bool) -> _Layer:
    whole = sum(layer_bytes(_without_recomputation(at), with_experts).values())
    alone = sum(layer_bytes(at, with_experts).values()) - offloaded_bytes(at, with_experts)
    return _Layer(whole, alone, forward_extra(at, with_experts), backward_extra(at, with_experts))


def _without_recomputation(at: Tokens) -> Tokens:
    return replace(at, split=replace(at.split, recomputation=Recomputation()))


def fullest(found: list[StageMemory]) -> StageMemory:
    """The stage whose ranks need most."""
    return max(found, key=lambda one: one.allocated)


def _stage(at: Tokens, kinds: _Kinds, state: StateBytes, stage: int) -> StageMemory:
    held = rank_params(at.model, at.split, stage)
    shards, expert_shards = at.split.optimizer_shards, at.split.expert_optimizer_shards
    peak = max(_moments(at, kinds, stage), key=lambda moment: moment.total)
    return StageMemory(
        stage=stage,
        parameters=state.weight * held.total,
        gradients=state.gradient * held.total,
        optimizer=state.optimizer * (held.dense / shards + held.experts / expert_shards),
        activations=peak.activations,
        logits=peak.logits,
        passing=peak.passing,
        buffers=_workspaces(at, stage) + _placeholders(at, stage),
        moment=peak.name,
    )


def rank_params(model: Architecture, split: Split, stage: int) -> RankParams:
    """Parameters on one rank of a stage; norms, routers and latent down-projections are whole on every rank."""
    layers = Counter(layers_by_kind(model, split, stage))
    each = {kind: counts.layer_params(model, kind) for kind in layers}
    ends = _first(model, split) if stage == 0 else 0.0
    ends += _last(model, split) if stage == split.pipeline - 1 else 0.0
    dense = sum(
        n
        * ((each[k].attention + each[k].ffn) / split.tensor + each[k].attention_whole + each[k].norms + each[k].router)
        for k, n in layers.items()
    )
    experts = sum(n * each[k].experts for k, n in layers.items()) / (split.expert * split.expert_tensor)
    return RankParams(dense + ends, experts)


def layers_by_kind(model: Architecture, split: Split, stage: int) -> list[bool]:
    """For each layer of a stage whether it holds experts; modules of multi-token prediction count as layers."""
    found = [counts.has_experts(model, i) for i in split.layers_of(stage, model.layers)]
    last = stage == split.pipeline - 1
    return found + (model.mtp_layers if last else 0) * [model.experts is not None]


def _first(model: Architecture, split: Split) -> float:
    return counts.embedding_params(model) / split.tensor + counts.position_params(model)


def _last(model: Architecture, split: Split) -> float:
    """Final norm, the head (none of its own where the embedding serves on the same rank), modules of MTP."""
    norm = counts.norm_params(model, model.hidden)
    shared = model.tied and split.pipeline == 1
    head = 0.0 if shared else counts.embedding_params(model) / split.tensor
    again = counts.embedding_params(model) / split.tensor if model.mtp_layers and split.pipeline > 1 else 0.0
    mtp = model.mtp_layers * (2 * model.hidden**2 / split.tensor + 3 * norm)
    return norm + head + again + mtp


def _workspaces(at: Tokens, stage: int) -> float:
    grouped = at.software.grouped_workspace_bytes if any(layers_by_kind(at.model, at.split, stage)) else 0.0
    return at.software.workspace_bytes + grouped


def _placeholders(at: Tokens, stage: int) -> float:
    """One tensor in the weights' precision for every shape of weight on the stage, whatever the number of layers."""
    if not at.software.weight_gradient_placeholders:
        return 0.0
    model, split = at.model, at.split
    shapes = {s for kind in set(layers_by_kind(model, split, stage)) for s in _weights(model, split, kind)}
    if stage == split.pipeline - 1:
        shapes.add((model.vocab / split.tensor, model.hidden))
    return at.software.element_bytes * sum(rows * columns for rows, columns in shapes)


def _weights(model: Architecture, split: Split, with_experts: bool) -> Iterator[tuple[float, float]]:
    """Shapes of one layer's weights on a rank, outputs by inputs."""
    t, h, fused = split.tensor, model.hidden, 2 if model.gated else 1
    latent = model.latent_attention
    if latent is None:
        yield (counts.query_width(model) + 2 * counts.kv_width(model)) / t, h
    else:
        if latent.query_rank:
            yield latent.query_rank, h
        yield counts.query_width(model) / t, latent.query_rank or h
        yield latent.kv_rank + latent.rotary, h
        yield model.heads * (latent.query_key + latent.value) / t, latent.kv_rank
    yield h, counts.value_width(model) / t
    experts = model.experts if with_experts else None
    widths = [model.ffn / t] if experts is None else [experts.shared_ffn / t, experts.ffn / split.expert_tensor]
    for width in widths:
        if width:
            yield fused * width, h
            yield h, width


def _moments(at: Tokens, kinds: _Kinds, stage: int) -> Iterator[_Moment]:
    """The candidates for a stage's peak."""
    layers = [kinds[one] for one in layers_by_kind(at.model, at.split, stage)]
    kept = _kept(at, layers)
    earlier = (at.split.in_flight(stage) - 1) * sum(kept)  # micro-batches in flight before the last
    so_far = 0.0
    yield _Moment("optimizer step", 0.0, 0.0, 0.0)
    for layer, bytes_kept in zip(layers, kept, strict=True):
        so_far += bytes_kept
        again = layer.whole - bytes_kept  # what recomputation and host memory bring back
        leaving = again if at.split.offload else 0.0
        yield _Moment("forward pass of a layer", earlier + so_far, 0.0, layer.forward + leaving)
        most = max(layer.forward if again else 0.0, layer.backward)
        yield _Moment("backward pass of a layer", earlier + so_far, 0.0, again + most)
    if stage == at.split.pipeline - 1:
        yield _head(at, earlier + so_far)
    if stage == 0:
        gradient = counts.embedding_params(at.model) / at.split.tensor * at.software.element_bytes
        yield _Moment("gradient of the embedding", earlier, 0.0, gradient + at.layer_input)


def _kept(at: Tokens, layers: list[_Layer]) -> list[float]:
    """Bytes each layer of a stage keeps for one micro-batch."""
    again = at.split.recomputation
    if not again.full:
        return [layer.kept for layer in layers]
    chunk = -(-len(layers) // at.split.virtual)
    most = chunk if again.layers is None else again.layers
    return [at.layer_input if i % chunk < most else layer.whole for i, layer in enumerate(layers)]


def _head(at: Tokens, kept: float) -> _Moment:
    """Backward pass of the loss and head: the final norm's input and output, logits, the head's input and gradients.

    Under sequence parallelism the head's input is gathered, and its gradient exists whole and scattered. With modules
    of multi-token prediction their logits are held until the same backward pass.
    """
    entries = at.count * at.model.vocab / at.split.tensor * (1 + at.model.mtp_layers)
    parallel = at.split.sequence_shards > 1
    flow = 2 * at.hidden_bytes + at.layer_input if parallel else at.hidden_bytes
    passing = flow + weight_gradient(at, at.model.vocab / at.split.tensor)
    return _Moment("loss and head", kept + 2 * at.layer_input, entries * at.software.logit_bytes, passing)
