"""Layouts as arrays: every candidate at once, so that all can be checked and costed in one pass of numpy."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from sixnd.specs.families import Architecture
from sixnd.specs.plan import Module, PlannedLayout, Recompute

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

MODULES: tuple[Module, ...] = get_args(Module)
"""What can be recomputed alone; a bit each, in this order."""
_RETAINED = 2**24
"""Bytes. glibc returns freed memory to the system whenever 128 KiB of it lie at the heap's end, and a page fault for
every 4 KiB that are taken again is half the time of arithmetic on arrays. Freeing one large block raises the limit to
twice its size (mallopt(3), M_MMAP_THRESHOLD); its pages are never touched."""
_SWITCHES = ("recompute_full", "sequence_parallel", "embedding_as_layer")


@dataclass(frozen=True)
class Layouts:
    """Columns of candidates, one entry a layout."""

    tensor: Ints
    pipeline: Ints
    virtual: Ints
    context: Ints
    expert: Ints
    expert_tensor: Ints
    data: Ints
    micro_batch: Ints
    recompute_full: Bools
    """Whole layers run forward again."""
    recompute_layers: Ints
    """With full recomputation: layers of each model chunk, 0 for all."""
    recompute_modules: Ints
    """Modules that run again alone: bits in the order of ``MODULES``."""
    sequence_parallel: Bools
    embedding_as_layer: Bools
    """Embedding, head and modules of multi-token prediction fill stages like a layer each."""

    def __len__(self) -> int:
        return len(self.tensor)

    def pick(self, index: Any) -> "Layouts":
        """The candidates at an index array or mask."""
        return Layouts(*(getattr(self, f.name)[index] for f in fields(self)))

    def joined(self, other: "Layouts") -> "Layouts":
        """These and those."""
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return Layouts(*(np.concatenate(pair) for pair in pairs))

    def blocks(self, rows: int) -> Iterator["Layouts"]:
        """Consecutive parts of so many, one at least; what is computed of few at once stays in a core's cache."""
        np.empty(_RETAINED, dtype=np.uint8)
        for start in range(0, max(1, len(self)), rows):
            yield self.pick(slice(start, start + rows))

    def as_floats(self) -> "Layouts":
        """The same with numbers as floats: arithmetic on integers costs numpy two to five times as much."""
        return Layouts(*(self._as_float(f.name) for f in fields(self)))

    def _as_float(self, name: str) -> Any:
        column = getattr(self, name)
        return column if name in (*_SWITCHES, "recompute_modules") else column.astype(np.float64)

    @property
    def sequence_shards(self) -> Ints:
        """Ranks over which norms and residuals are split: TP with sequence parallelism, else one."""
        return np.where(self.sequence_parallel, self.tensor, 1)

    def recomputes(self, module: Module) -> Bools:
        """Which candidates recompute that module alone."""
        return np.asarray((self.recompute_modules >> MODULES.index(module)) & 1 == 1)

    @property
    def optimizer_shards(self) -> Ints:
        """Ranks that hold the same dense parameters and split their optimizer: DP × CP."""
        return self.data * self.context

    @property
    def expert_replicas(self) -> Floats:
        """Ranks that hold the same routed experts; they are spread over tensor-parallel ranks too."""
        return np.asarray(self.tensor * self.context * self.data / (self.expert * self.expert_tensor))

    def micro_batches(self, global_batch: int) -> Floats:
        """Micro-batches that one replica runs in a step."""
        return global_batch / (self.data * self.micro_batch)

    def document(self, i: int) -> PlannedLayout:
        """Candidate ``i`` as the plan writes it."""
        return PlannedLayout(
            tensor=int(self.tensor[i]),
            pipeline=int(self.pipeline[i]),
            virtual_pipeline=int(self.virtual[i]),
            context=int(self.context[i]),
            expert=int(self.expert[i]),
            expert_tensor=int(self.expert_tensor[i]),
            data=int(self.data[i]),
            micro_batch=int(self.micro_batch[i]),
            sequence_parallel=bool(self.sequence_parallel[i]),
            distributed_optimizer=True,  # with DP 1 too: one form of state, so that any layout resumes any other
            recompute=self._level(i),
            recompute_layers=int(self.recompute_layers[i]),
            recompute_modules=[m for bit, m in enumerate(MODULES) if int(self.recompute_modules[i]) >> bit & 1],
            embedding_as_layer=bool(self.embedding_as_layer[i]),
        )

    def _level(self, i: int) -> Recompute:
        return "full" if self.recompute_full[i] else "selective" if self.recompute_modules[i] else "none"

    @classmethod
    def of(cls, *layouts: PlannedLayout) -> "Layouts":
        """Planned layouts as arrays."""
        return cls.of_rows([_row(layout) for layout in layouts])

    @classmethod
    def of_rows(cls, rows: Sequence[tuple[int, ...]]) -> "Layouts":
        """Rows of values in the order of the fields."""
        names = [f.name for f in fields(cls)]
        table = np.array(rows, dtype=np.int64).reshape(len(rows), len(names))
        columns: dict[str, Any] = dict(zip(names, table.T, strict=True))
        for name in _SWITCHES:
            columns[name] = columns[name].astype(bool)
        return cls(**columns)


def module_bits(modules: Iterable[Module]) -> int:
    """Modules as the bits that ``Layouts`` holds."""
    return sum(1 << MODULES.index(module) for module in set(modules))


def _row(layout: PlannedLayout) -> tuple[int, ...]:
    split = (layout.tensor, layout.pipeline, layout.virtual_pipeline)
    ranks = (layout.context, layout.expert, layout.expert_tensor, layout.data)
    again = (layout.recompute == "full", layout.recompute_layers, module_bits(layout.recompute_modules))
    return (*split, *ranks, layout.micro_batch, *again, layout.sequence_parallel, layout.embedding_as_layer)


@dataclass(frozen=True)
class StageKind:
    """One kind of pipeline stage: the first, one in the middle, or the last; arrays over candidates."""

    name: str
    rank: Ints
    """Its place in the pipeline, from 0."""
    count: Ints
    """Stages that are alike, 0 where the candidate has none."""
    layers: Floats
    """Transformer layers it holds."""
    expert_layers: Floats
    """Those of them that hold experts."""
    first: Bools
    last: Bools

    @property
    def exists(self) -> Bools:
        """Which candidates have such a stage."""
        return np.asarray(self.count > 0)

    def recomputed_layers(self, layouts: Layouts) -> Floats:
        """Layers of the stage whose forward pass runs again before their backward pass."""
        some = np.minimum(self.layers, layouts.recompute_layers * layouts.virtual)
        full = np.where(layouts.recompute_layers == 0, self.layers, some)
        return np.where(layouts.recompute_full, full, 0.0)


def filling_units(model: Architecture, layouts: Layouts) -> Ints:
    """What stages are filled with: layers, and where they count as layers embedding, head and further predictions."""
    return model.layers + layouts.embedding_as_layer * (2 + model.mtp_layers)


def chunk_layers(model: Architecture, layouts: Layouts) -> Floats:
    """Layers of one model chunk, with what counts as one."""
    return np.asarray(filling_units(model, layouts) / (layouts.pipeline * layouts.virtual))


def stage_kinds(model: Architecture, layouts: Layouts) -> list[StageKind]:
    """The kinds of stages of each candidate; stages of one kind hold the same layers, the first of them most in flight.

    Modules of multi-token prediction are on the last stage, beside its layers. Dense layers of a mixture of experts
    come first: they fill the first chunk of stage after stage, then the second chunks, and so on. ``mixed`` is the
    stage on which they end; those before it have a dense chunk more than those behind it.
    """
    p = layouts.pipeline
    alone, middle, end = p == 1, np.maximum(p - 2, 0), p - 1
    chunk = chunk_layers(model, layouts)
    if model.experts is None:
        mixed, dense = end, None
    else:
        dense = _DenseChunks.of(model.experts.dense_layers + layouts.embedding_as_layer, chunk, p)
        mixed = dense.mixed
    before, after = np.clip(mixed - 1, 0, middle), np.where(mixed < end, end - 1 - mixed, 0)
    no, yes = np.zeros_like(alone), np.ones_like(alone)
    places = [
        ("first pipeline stage", 0 * p, np.ones_like(p), yes, alone),
        ("second pipeline stage", np.ones_like(p), before, no, no),
        ("last stage with dense layers", mixed, middle - before - after, no, no),
        ("stage behind all dense layers", mixed + 1, after, no, no),
        ("last pipeline stage", end, np.minimum(end, 1), no, yes),
    ]
    kinds: list[StageKind] = []
    for name, rank, count, first, last in places:
        if kinds and not count.any():
            continue
        ends = layouts.embedding_as_layer * (first + last * (1 + model.mtp_layers))
        layers = chunk * layouts.virtual - ends
        sparse = layers - dense.on(rank) + layouts.embedding_as_layer * first if dense else np.zeros(len(layouts))
        kinds.append(StageKind(name, rank, count, layers, sparse, first, last))
    return kinds


@dataclass(frozen=True)
class _DenseChunks:
    """How dense layers, and an embedding that counts as one, fill chunks from the first on."""

    chunk: Floats
    """Layers of a chunk."""
    rounds: Floats
    """Chunks that are dense on every stage."""
    mixed: Ints
    """The stage whose next chunk they fill in part."""
    rest: Floats
    """Their number in that chunk."""

    @classmethod
    def of(cls, units: Ints, chunk: Floats, stages: Ints) -> "_DenseChunks":
        whole = np.floor(units / chunk)
        rounds = np.floor(whole / stages)
        return cls(chunk, rounds, (whole - rounds * stages).astype(stages.dtype), units - whole * chunk)

    def on(self, rank: Ints) -> Floats:
        """Their number on a stage."""
        return self.chunk * (self.rounds + (rank < self.mixed)) + np.where(rank == self.mixed, self.rest, 0.0)
