"""Layouts as arrays: every candidate at once, so that all can be checked and costed in one pass of numpy."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sixnd.specs.plan import PlannedLayout, Recompute

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

RECOMPUTE: tuple[Recompute, ...] = ("none", "selective", "full")
"""Levels in the order in which they save memory; arrays hold the index."""


@dataclass(frozen=True)
class Layouts:
    """Columns of candidates, one entry a layout."""

    tensor: Ints
    pipeline: Ints
    virtual: Ints
    data: Ints
    micro_batch: Ints
    recompute: Ints
    recompute_layers: Ints
    """With full recomputation: layers of each model chunk, 0 for all."""
    sequence_parallel: Bools
    embedding_as_layer: Bools

    def __len__(self) -> int:
        return len(self.tensor)

    def pick(self, index: Any) -> "Layouts":
        """The candidates at an index array or mask."""
        return Layouts(*(getattr(self, f.name)[index] for f in fields(self)))

    @property
    def sequence_shards(self) -> Ints:
        """Ranks over which norms and residuals are split: TP with sequence parallelism, else one."""
        return np.where(self.sequence_parallel, self.tensor, 1)

    def micro_batches(self, global_batch: int) -> Floats:
        """Micro-batches that one replica runs in a step."""
        return global_batch / (self.data * self.micro_batch)

    def document(self, i: int) -> PlannedLayout:
        """Candidate ``i`` as the plan writes it."""
        return PlannedLayout(
            tensor=int(self.tensor[i]),
            pipeline=int(self.pipeline[i]),
            virtual_pipeline=int(self.virtual[i]),
            data=int(self.data[i]),
            micro_batch=int(self.micro_batch[i]),
            sequence_parallel=bool(self.sequence_parallel[i]),
            distributed_optimizer=True,  # with DP 1 too: one form of state, so that any layout resumes any other
            recompute=RECOMPUTE[int(self.recompute[i])],
            recompute_layers=int(self.recompute_layers[i]),
            embedding_as_layer=bool(self.embedding_as_layer[i]),
        )

    @classmethod
    def of(cls, layout: PlannedLayout) -> "Layouts":
        """One planned layout as arrays of length one."""
        counts = (layout.tensor, layout.pipeline, layout.virtual_pipeline, layout.data, layout.micro_batch)
        again = (RECOMPUTE.index(layout.recompute), layout.recompute_layers)
        return cls.of_rows([(*counts, *again, layout.sequence_parallel, layout.embedding_as_layer)])

    @classmethod
    def of_rows(cls, rows: Sequence[tuple[int, ...]]) -> "Layouts":
        """Rows of values in the order of the fields."""
        names = [f.name for f in fields(cls)]
        table = np.array(rows, dtype=np.int64).reshape(len(rows), len(names))
        columns: dict[str, Any] = dict(zip(names, table.T, strict=True))
        for name in ("sequence_parallel", "embedding_as_layer"):
            columns[name] = columns[name].astype(bool)
        return cls(**columns)


@dataclass(frozen=True)
class StageKind:
    """One kind of pipeline stage: the first, a middle one, or the last; arrays over candidates."""

    name: str
    rank: Ints
    """Its place in the pipeline, from 0."""
    layers: Floats
    """Transformer layers it holds."""
    first: Bools
    last: Bools
    exists: Bools

    def recomputed_layers(self, layouts: Layouts) -> Floats:
        """Layers of the stage whose forward pass runs again before their backward pass."""
        some = np.minimum(self.layers, layouts.recompute_layers * layouts.virtual)
        full = np.where(layouts.recompute_layers == 0, self.layers, some)
        return np.where(layouts.recompute == 2, full, 0.0)


def stage_kinds(layers: int, layouts: Layouts) -> list[StageKind]:
    """The three kinds of stages of each candidate; within a kind all stages cost the same or less."""
    p = layouts.pipeline
    extra = np.where(layouts.embedding_as_layer, 1, 0)
    even = (layers + 2 * extra) / p
    alone = p == 1
    yes, no = np.ones_like(alone), np.zeros_like(alone)
    return [
        StageKind("first pipeline stage", 0 * p, np.where(alone, float(layers), even - extra), yes, alone, yes),
        StageKind("second pipeline stage", np.ones_like(p), even, no, no, p > 2),
        StageKind("last pipeline stage", p - 1, even - extra, no, yes, ~alone),
    ]
