"""Bytes on a rank of every kind of pipeline stage, for any decoder and layout: what is held, and when it peaks.

A stage's allocated peak is the largest of these moments: the forward pass of a layer in its last micro-batch in
flight, the backward pass of a layer, that of the loss and head, and the embedding's gradient. All is counted for many
layouts at once, or for all stages of one.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from sixnd.planner import model as counts
from sixnd.planner.activations import (
    Tokens,
    backward_extra,
    bytes_kept,
    bytes_whole,
    forward_extra,
    layer_tensors,
    weight_gradient,
)
from sixnd.planner.candidates import Bools, Floats, Ints
from sixnd.planner.split import Software, Split, StateBytes
from sixnd.planner.stage import Stage, in_flight
from sixnd.planner.stage_params import buffers, rank_params
from sixnd.specs.families import Architecture

FORWARD, BACKWARD, HEAD, EMBEDDING = range(4)
MOMENTS = ("forward pass of a layer", "backward pass of a layer", "loss and head", "gradient of the embedding")
"""When a stage may peak."""


@dataclass(frozen=True)
class StageMemory:
    """Bytes on one rank of a stage at its peak, one entry a layout or a stage; they sum to what the tensors hold."""

    parameters: Floats
    gradients: Floats
    optimizer: Floats
    activations: Floats
    """Kept by layers and norms for the backward passes in flight."""
    logits: Floats
    passing: Floats
    """Gradients, gathered inputs and recomputed activations that are alive at the peak only."""
    buffers: Floats
    """What libraries keep: workspaces, placeholders of weight gradients."""
    moment: Ints
    """When the peak is: index into ``MOMENTS``."""
    stage: Ints
    """Its place in the pipeline, from 0."""

    @property
    def states(self) -> Floats:
        """Parameters, gradients and optimizer."""
        return self.parameters + self.gradients + self.optimizer

    @property
    def allocated(self) -> Floats:
        """Bytes that tensors hold at the peak: torch's ``max_memory_allocated``."""
        return self.states + self.activations + self.logits + self.passing + self.buffers

    @property
    def when(self) -> str:
        """The moment of a single entry."""
        return MOMENTS[int(self.moment)]

    @property
    def fills(self) -> str:
        """The component that takes most of a single entry."""
        names = ("parameters", "gradients", "optimizer", "activations", "logits", "passing", "buffers")
        return max(names, key=lambda name: float(getattr(self, name)))

    def pick(self, index: int) -> "StageMemory":
        """One entry."""
        size = len(self.stage)
        return StageMemory(*(np.broadcast_to(getattr(self, f.name), size)[index] for f in fields(self)))

    def where(self, better: Bools, other: "StageMemory") -> "StageMemory":
        """These, and the other's entries where it is ``better``."""
        return StageMemory(*(np.where(better, getattr(other, f.name), getattr(self, f.name)) for f in fields(self)))


@dataclass(frozen=True)
class _Layer:
    """Bytes of one kind of layer for one micro-batch."""

    kept: Floats
    """Kept where the layer is not recomputed whole."""
    peak: Floats
    """Beside what it and those before it keep, at its own worst moment, where it is not recomputed whole."""
    moment: Ints
    recomputed_peak: Floats
    """The same where it is."""

    @classmethod
    def of(cls, at: Tokens, with_experts: bool) -> "_Layer":
        tensors = layer_tensors(at, with_experts)
        experts = at.model.experts if with_experts else None
        whole, forward, backward = bytes_whole(tensors), forward_extra(at, experts), backward_extra(at, experts)
        kept = np.where(at.layouts.recompute_full, whole, bytes_kept(at, tensors))
        again, most = whole - kept, np.maximum(forward, backward)
        moment = np.where((again > 0) | (backward >= forward), BACKWARD, FORWARD)
        return cls(kept, again + most, moment, whole - at.layer_input + most)


class _Moment(NamedTuple):
    """One candidate for the peak; entries that have no such moment are below zero."""

    activations: Floats
    """Kept by layers, of the last micro-batch in flight where it is a moment of a layer."""
    passing: Floats
    logits: Floats
    kind: Ints

    @property
    def total(self) -> Floats:
        return self.activations + self.passing + self.logits


class Stages:
    """Memory of stages; what does not depend on the stage is counted once."""

    def __init__(self, at: Tokens, state: StateBytes) -> None:
        self.at, self.state = at, state
        experts, layouts = at.model.experts, at.layouts
        self._dense = _Layer.of(at, False) if experts is None or experts.dense_layers else None
        self._sparse = _Layer.of(at, True) if experts else None
        again = np.where(layouts.recompute_layers == 0, np.inf, layouts.recompute_layers)
        self._recomputed = np.where(layouts.recompute_full, again, 0.0)
        """Layers of each chunk, the first ones, that are recomputed whole."""

    def memory(self, stage: Stage, micro_batches: Floats) -> StageMemory:
        """Bytes at the peak of a stage in a pipeline with so many micro-batches a step."""
        held, layouts, state = rank_params(self.at.model, self.at.layouts, stage), self.at.layouts, self.state
        shards = (layouts.optimizer_shards, layouts.expert_replicas) if state.distributed else (1, 1)
        peak = self._peak(stage, in_flight(layouts, micro_batches, stage.rank))
        return StageMemory(
            parameters=state.weight * held.total,
            gradients=state.gradient * held.total,
            optimizer=state.optimizer * (held.dense / shards[0] + held.experts / shards[1]),
            activations=peak.activations,
            logits=peak.logits,
            passing=peak.passing,
            buffers=buffers(self.at, stage),
            moment=peak.kind,
            stage=stage.rank,
        )

    def _peak(self, stage: Stage, flying: Floats) -> _Moment:
        """The worst of the moments."""
        kept, layers = self._layers(stage)
        earlier = (flying - 1) * kept
        worst = _worst(layers)
        worst = worst._replace(activations=worst.activations + earlier)
        return _worst([worst, self._head(stage, earlier + kept), self._embedding(stage, earlier)])

    def _layers(self, stage: Stage) -> tuple[Floats, list[_Moment]]:
        """(bytes that all layers of a stage keep for one micro-batch, the moments of its worst layers).

        Of each kind of layer the last one is the worst, of those recomputed whole and of the others.
        """
        kept, moments, none = np.zeros(1), [], np.zeros(1)
        before, start = none, _upto(stage, self._recomputed, none)
        for layer, layers in ((self._dense, stage.dense), (self._sparse, stage.sparse)):
            if layer is None:
                continue
            before = before + layers
            end = _upto(stage, self._recomputed, before)
            again = end.recomputed - start.recomputed
            kept = kept + again * self.at.layer_input + (layers - again) * layer.kept
            last = np.where(end.others > 0, kept, kept - end.begun * self.at.layer_input)
            moments.append(_where(layers > again, last, layer.peak, layer.moment))
            moments.append(_where(again > 0, kept - end.others * layer.kept, layer.recomputed_peak))
            start = end
        if self.at.model.mtp_layers:
            further, moment = self._further(stage, kept)
            kept, moments = kept + further, [*moments, moment]
        return kept, moments

    def _further(self, stage: Stage, before: Floats) -> tuple[Floats, _Moment]:
        """The same of modules of multi-token prediction.

        Megatron recomputes them whole with all other layers, but not where only some of each chunk are
        (``MultiTokenPredictionLayer._checkpointed_forward``).
        """
        layer = self._sparse or self._dense
        assert layer is not None
        whole = np.isinf(self._recomputed)
        kept = stage.further(self.at.model) * np.where(whole, self.at.layer_input, layer.kept)
        peak, moment = np.where(whole, layer.recomputed_peak, layer.peak), np.where(whole, BACKWARD, layer.moment)
        return np.asarray(kept, dtype=np.float64), _where(stage.last, before + kept, peak, moment)

    def _head(self, stage: Stage, kept: Floats) -> _Moment:
        """Backward pass of the loss and head: final norm's input and output, logits, the head's input and gradients.

        Under sequence parallelism the head's input is gathered, and its gradient exists whole and scattered. With
        modules of multi-token prediction their logits are held until the same backward pass.
        """
        at, model = self.at, self.at.model
        each = model.vocab * (1 + model.mtp_layers) * at.software.logit_bytes
        logits = np.where(stage.last, at.count * each / at.layouts.tensor, 0.0)
        flow = np.where(at.shards > 1, 2 * at.hidden_bytes + at.layer_input, at.hidden_bytes)
        passing = flow + weight_gradient(at, model.vocab)
        return _where(stage.last, kept + 2 * at.layer_input, passing, HEAD)._replace(logits=logits)

    def _embedding(self, stage: Stage, earlier: Floats) -> _Moment:
        """Gradient of the embedding, with micro-batches still in flight."""
        at = self.at
        gradient = counts.embedding_params(at.model) * at.software.element_bytes / at.layouts.tensor
        return _where(stage.first, earlier, gradient + at.layer_input, EMBEDDING)


class _Upto(NamedTuple):
    """The layers of a stage up to one of them."""

    recomputed: Floats
    """Of all of them."""
    begun: Floats
    """Recomputed ones of the chunk that the last is in."""
    others: Floats
    """Other ones of that chunk; they are behind."""


def _upto(stage: Stage, most: Floats, layers: Floats) -> _Upto:
    """The first ``layers`` of a stage of whose chunks the first ``most`` are recomputed."""
    places = layers + stage.gap
    chunks = np.maximum(np.ceil(places / np.maximum(stage.chunk, 1.0)) - 1, 0.0)
    here = places - chunks * stage.chunk - np.where(chunks == 0, stage.gap, 0.0)
    begun, each = np.minimum(here, most), np.minimum(stage.chunk, most)
    lacking = np.where(chunks > 0, each - np.minimum(stage.chunk - stage.gap, most), 0.0)
    return _Upto(chunks * each - lacking + begun, begun, here - begun)


def _where(exists: Bools, kept: Floats, passing: Floats, kind: Ints | int = BACKWARD) -> _Moment:
    return _Moment(np.where(exists, kept, 0.0), np.where(exists, passing, -np.inf), np.zeros(1), np.asarray(kind))


def _worst(moments: list[_Moment]) -> _Moment:
    """The largest, entry by entry."""
    worst, total = moments[0], moments[0].total
    for moment in moments[1:]:
        new = moment.total
        better, total = new > total, np.maximum(new, total)
        worst = _Moment(*(np.where(better, a, b) for a, b in zip(moment, worst, strict=True)))
    return worst


def stages(
    model: Architecture, split: Split, sequence: int, state: StateBytes | None = None, software: Software | None = None
) -> list[StageMemory]:
    """Every stage's bytes at its peak; the model's vocabulary is padded already."""
    at = Tokens(model, split.layouts, software or Software(), sequence, split.offload)
    micro_batches = np.full(split.pipeline, float(split.micro_batches))
    found = Stages(at, state or StateBytes()).memory(Stage.all_of(model, split), micro_batches)
    return [found.pick(stage) for stage in range(split.pipeline)]


def fullest(found: list[StageMemory]) -> StageMemory:
    """The stage whose ranks need most."""
    return max(found, key=lambda one: float(one.allocated))
