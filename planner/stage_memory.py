"""Bytes on a rank of every kind of pipeline stage, for any decoder and layout: what is held, and when it peaks.

A stage's allocated peak is the largest of these moments: the forward pass of a layer in its last micro-batch in
flight, the backward pass of a layer, that of the loss and head, and the embedding's gradient. All is counted for many
layouts at once, or for all stages of one.
"""

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

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
from sixnd.planner.stage_params import buffers, product_params, rank_params
from sixnd.specs.families import Architecture

FORWARD, BACKWARD, HEAD, EMBEDDING = range(4)
MOMENTS = ("forward pass of a layer", "backward pass of a layer", "loss and head", "gradient of the embedding")
"""When a stage may peak."""


@dataclass(frozen=True)
class StageMemory:
    """Bytes on one rank of a stage at its peak, one entry a layout or a stage; they sum to what the tensors hold."""

    parameters: Floats
    """Weights, and copies of them in a lower precision."""
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

    def pick(self, index: Any) -> "StageMemory":
        """Some entries, or one."""
        return StageMemory(*(getattr(self, f.name)[index] for f in fields(self)))


@dataclass(frozen=True)
class _Layer:
    """Bytes of one kind of layer for one micro-batch."""

    kept: Floats
    """Kept where only some layers of each chunk are recomputed whole, by those that are not; elsewhere by every one."""
    peak: Floats
    """Beside what it and those before it keep, at such a layer's own worst moment."""
    moment: Ints
    recomputed_peak: Floats
    """The same of a layer that is recomputed whole and keeps its input."""

    @classmethod
    def of(cls, at: Tokens, with_experts: bool) -> "_Layer":
        tensors, every = layer_tensors(at, with_experts), at.layouts.recompute_full & (at.layouts.recompute_layers == 0)
        experts = at.model.experts if with_experts else None
        whole, forward, backward = bytes_whole(tensors), forward_extra(at, experts), backward_extra(at, experts)
        kept = np.where(at.layouts.recompute_full, np.where(every, at.layer_input, whole), bytes_kept(at, tensors))
        again, most = whole - kept, np.maximum(forward, backward)
        moment = np.where((again > 0) | (backward >= forward), BACKWARD, FORWARD)
        return cls(kept, again + most, moment, whole - at.layer_input + most)


class _Peak(NamedTuple):
    """The worst moment so far, entry by entry."""

    total: Floats
    activations: Floats
    """Kept by layers."""
    moment: Ints

    def or_at(self, exists: Bools, kept: Floats, passing: Floats, moment: Ints | int) -> "_Peak":
        """The same with one more moment, where there is one."""
        total = kept + passing
        if not exists.all():
            total = np.where(exists, total, 0.0)
        worse = total > self.total
        activations, moments = np.where(worse, kept, self.activations), np.where(worse, moment, self.moment)
        return _Peak(np.maximum(total, self.total), activations, moments)

    def row(self, index: int) -> "_Peak":
        """That of one stage."""
        return _Peak(self.total[index], self.activations[index], self.moment[index])


_NONE: Floats = np.zeros(1)
_NEVER = _Peak(_NONE, _NONE, np.zeros(1, dtype=np.int64))


class _Held(NamedTuple):
    """What stages hold at their peak; of arrays of stages × layouts."""

    dense: Floats
    """Parameters but routed experts."""
    learning: Floats
    """Of them what has gradients and an optimizer's state: all, or adapters."""
    experts: Floats
    quantised: Floats
    """Copies of weights."""
    peak: Floats
    """Activations, logits and what passes."""
    activations: Floats
    moment: Ints
    buffers: Floats
    stage: Ints

    def pick(self, entries: tuple[Ints, Ints]) -> "_Held":
        """Those of one stage for every layout."""
        columns: list[Any] = [column[entries] if column.ndim == 2 else column for column in self]
        return _Held(*columns)


class Stages:
    """Memory of stages; what does not depend on the stage is counted once."""

    def __init__(self, at: Tokens, state: StateBytes) -> None:
        self.at, self.state = at, state
        model, layouts = at.model, at.layouts
        self._dense = _Layer.of(at, False) if model.experts is None or model.experts.dense_layers else None
        self._sparse = _Layer.of(at, True) if model.experts else None
        self._some = np.where(layouts.recompute_full, layouts.recompute_layers, 0)
        """First layers of each chunk that are recomputed whole, where they are not all."""
        each = model.vocab * (1 + model.mtp_layers) * at.software.logit_bytes
        self._logits = at.count * each / layouts.tensor
        self._head = _head_bytes(at)
        learns = 0 if at.adapters else counts.embedding_params(model)
        self._embedding = learns * at.software.element_bytes / layouts.tensor + at.layer_input
        shards = (layouts.optimizer_shards, layouts.expert_replicas) if state.distributed else (1, 1)
        self._optimizer, self._experts_optimizer = (state.optimizer / np.asarray(n) for n in shards)

    def all(self, stage: Stage, micro_batches: Floats) -> StageMemory:
        """Every stage's bytes at its peak in a pipeline with so many micro-batches a step."""
        return self._memory(self._held(stage, micro_batches))

    def fullest(self, stage: Stage, micro_batches: Floats) -> StageMemory:
        """The fullest stage of every layout."""
        held = self._held(stage, micro_batches)
        state = self.state
        total = held.dense * state.weight + held.learning * (state.gradient + self._optimizer)
        total = total + (held.quantised + held.peak + held.buffers)
        if self._sparse is not None:
            total = total + held.experts * (state.weight + state.gradient + self._experts_optimizer)
        most, fullest = total[0], np.zeros(total.shape[1], dtype=np.int64)
        for i in range(1, len(total)):
            fuller = stage.exists[i] & (total[i] > most)
            most, fullest = np.where(fuller, total[i], most), np.where(fuller, i, fullest)
        return self._memory(held.pick((fullest, np.arange(len(fullest)))))

    def _held(self, stage: Stage, micro_batches: Floats) -> _Held:
        at, state = self.at, self.state
        params = rank_params(at.model, at.layouts, stage)
        quantised = state.quantised * product_params(at.model, at.layouts, stage) if state.quantised else _NONE
        peak = self._peak(stage, in_flight(at.layouts, micro_batches, stage.rank))
        found = (quantised, peak.total, peak.activations, peak.moment, buffers(at, stage), stage.rank)
        if at.adapters is None:
            return _Held(params.dense, params.dense, params.experts, *found)
        adapters = stage.dense * at.adapters.layer_params(at.model, at.layouts.tensor)
        return _Held(params.dense + adapters, adapters, params.experts, *found)

    def _memory(self, held: _Held) -> StageMemory:
        """The same by what it is for."""
        state, total, at_head = self.state, held.dense + held.experts, held.moment == HEAD
        logits = np.where(at_head, self._logits, 0.0)
        activations = held.activations + np.where(at_head, 2 * self.at.layer_input, 0.0)
        return StageMemory(
            parameters=state.weight * total + held.quantised,
            gradients=state.gradient * (held.learning + held.experts),
            optimizer=held.learning * self._optimizer + held.experts * self._experts_optimizer,
            activations=activations,
            logits=logits,
            passing=held.peak - activations - logits,
            buffers=np.broadcast_to(held.buffers, total.shape),
            moment=held.moment,
            stage=held.stage,
        )

    def _peak(self, stage: Stage, flying: Floats) -> _Peak:
        """The worst of the moments."""
        kept, worst = self._layers(stage)
        earlier = (flying - 1) * kept
        worst = _Peak(worst.total + earlier, worst.activations + earlier, worst.moment)
        for exists, held, passing, moment in (
            (stage.first, earlier, self._embedding, EMBEDDING),
            (stage.last, earlier + kept, self._head + self._logits, HEAD),
        ):
            for i in np.flatnonzero(exists.any(axis=1)).tolist():
                found = worst.row(i).or_at(exists[i], held[i], passing, moment)
                worst.total[i], worst.activations[i], worst.moment[i] = found
        return worst

    def _layers(self, stage: Stage) -> tuple[Floats, _Peak]:
        """(bytes that all layers of a stage keep for one micro-batch, the worst moment of one of them)."""
        kept, worst = _NONE, _NEVER
        before, start, some = _NONE, _Upto(_NONE, _NONE, _NONE), self._some.any()
        for layer, layers in ((self._dense, stage.dense), (self._sparse, stage.sparse)):
            if layer is None:
                continue
            if some:
                before = before + layers
                end = _upto(stage, self._some, before)
                kept, worst = self._some_again(layer, layers, kept, worst, start, end)
                start = end
            else:
                kept = kept + layers * layer.kept
                worst = worst.or_at(layers > 0, kept, layer.peak, layer.moment)
        if self.at.model.mtp_layers and stage.last.any():
            # Megatron recomputes MTP with all other layers, but not where only some of each chunk are recomputed
            # (``MultiTokenPredictionLayer._checkpointed_forward``).
            further = self._sparse or self._dense
            assert further is not None
            kept = kept + stage.further(self.at.model) * further.kept
            worst = worst.or_at(stage.last, kept, further.peak, further.moment)
        return kept, worst

    def _some_again(
        self, layer: _Layer, layers: Floats, kept: Floats, worst: _Peak, start: "_Upto", end: "_Upto"
    ) -> tuple[Floats, _Peak]:
        """The same with one more kind of layers, some of which are recomputed whole.

        The last one is the worst, of those that are and of those that are not.
        """
        again = end.recomputed - start.recomputed
        kept = kept + again * self.at.layer_input + (layers - again) * layer.kept
        last = np.where(end.others > 0, kept, kept - end.begun * self.at.layer_input)
        worst = worst.or_at(layers > again, last, layer.peak, layer.moment)
        return kept, worst.or_at(again > 0, kept - end.others * layer.kept, layer.recomputed_peak, BACKWARD)


def _head_bytes(at: Tokens) -> Floats:
    """Backward pass of the loss and head, without logits: final norm's input and output, the head's input, gradients.

    Under sequence parallelism the head's input is gathered, and its gradient exists whole and scattered. With modules
    of multi-token prediction their logits are held until the same backward pass.
    """
    flow = np.where(at.shards > 1, 2 * at.hidden_bytes + at.layer_input, at.hidden_bytes)
    return np.asarray(2 * at.layer_input + flow + weight_gradient(at, at.model.vocab))


class _Upto(NamedTuple):
    """The layers of a stage up to one of them."""

    recomputed: Floats
    """Of all of them."""
    begun: Floats
    """Recomputed ones of the chunk that the last is in."""
    others: Floats
    """Other ones of that chunk; they are behind."""


def _upto(stage: Stage, most: Ints, layers: Floats) -> _Upto:
    """The first ``layers`` of a stage of whose chunks the first ``most`` are recomputed."""
    places = layers + stage.gap
    chunks = np.maximum(np.ceil(places / np.maximum(stage.chunk, 1.0)) - 1, 0.0)
    here = places - chunks * stage.chunk - np.where(chunks == 0, stage.gap, 0.0)
    begun, each = np.minimum(here, most), np.minimum(stage.chunk, most)
    lacking = np.where(chunks > 0, each - np.minimum(stage.chunk - stage.gap, most), 0.0)
    return _Upto(chunks * each - lacking + begun, begun, here - begun)


def stages(
    model: Architecture, split: Split, sequence: int, state: StateBytes | None = None, software: Software | None = None
) -> list[StageMemory]:
    """Every stage's bytes at its peak; the model's vocabulary is padded already."""
    at = Tokens(model, split.layouts, software or Software(), sequence, split.offload)
    found = Stages(at, state or StateBytes()).all(Stage.all_of(model, split), np.full(1, float(split.micro_batches)))
    return [found.pick((stage, 0)) for stage in range(split.pipeline)]


def fullest(found: list[StageMemory]) -> StageMemory:
    """The stage whose ranks need most."""
    return max(found, key=lambda one: float(one.allocated))
