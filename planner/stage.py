"""What the stages of a pipeline hold, and how many micro-batches are in flight on them."""

from dataclasses import dataclass

import numpy as np

from sixnd.planner import model as counts
from sixnd.planner.candidates import Bools, Floats, Ints, Layouts, chunk_layers, stage_kinds
from sixnd.planner.split import Split
from sixnd.specs.families import Architecture


@dataclass(frozen=True)
class Stage:
    """What stages hold beside modules of multi-token prediction: arrays of stages × layouts."""

    rank: Ints
    """Its place in the pipeline, from 0."""
    first: Bools
    last: Bools
    dense: Floats
    """Layers without experts; they come first."""
    sparse: Floats
    """Layers with experts."""
    chunk: Floats
    """Layers of one of its model chunks."""
    gap: Floats
    """What its first chunk lacks of that: an embedding that counts as a layer."""

    exists: Bools

    @classmethod
    def of_kinds(cls, model: Architecture, layouts: Layouts) -> "Stage":
        """Every kind of stage of every layout."""
        kinds = stage_kinds(model, layouts)
        rank, sparse, layers = (
            np.stack(c) for c in zip(*((k.rank, k.expert_layers, k.layers) for k in kinds), strict=True)
        )
        first, last, exists = (np.stack(c) for c in zip(*((k.first, k.last, k.exists) for k in kinds), strict=True))
        gap = np.where(first & layouts.embedding_as_layer, 1.0, 0.0)
        return cls(rank, first, last, layers - sparse, sparse, chunk_layers(model, layouts), gap, exists)

    @classmethod
    def all_of(cls, model: Architecture, split: Split) -> "Stage":
        """Every stage of one split."""
        rank = np.arange(split.pipeline).reshape(-1, 1)
        held = [split.layers_of(stage, model.layers, model.mtp_layers) for stage in range(split.pipeline)]
        total = np.array([[len(one)] for one in held], dtype=np.float64)
        sparse = np.array([[sum(counts.has_experts(model, i) for i in one)] for one in held], dtype=np.float64)
        first, last = rank == 0, rank == split.pipeline - 1
        ends = int(split.embedding_as_layer) * (first + last * (1 + model.mtp_layers))
        chunk, gap = np.ceil((total + ends) / split.virtual), np.where(first & split.embedding_as_layer, 1.0, 0.0)
        return cls(rank, first, last, total - sparse, sparse, chunk, gap, np.ones_like(first))

    def further(self, model: Architecture) -> Ints:
        """Modules of multi-token prediction: on the last stage, behind its layers."""
        return self.last * model.mtp_layers if model.mtp_layers else np.zeros(1, dtype=np.int64)


def in_flight(layouts: Layouts, micro_batches: Floats, rank: Ints) -> Floats:
    """Micro-batches whose activations a stage holds at its peak, in units of the whole stage.

    1F1B: the stages from here to the end. Interleaved: (2(p − r − 1) + (v − 1)p + 1)/v, which on the first stage is
    p(1 + (p − 1)/(pv)) (Narayanan et al. 2021; Korthikanti et al. 2022, §4.2.3). Never more than there are.
    """
    p, v = layouts.pipeline, layouts.virtual
    interleaved = (2 * (p - rank - 1) + (v - 1) * p + 1) / v
    return np.asarray(np.minimum(micro_batches, np.where(v > 1, interleaved, p - rank)))
