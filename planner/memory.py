"""Bytes on the fullest rank of every candidate layout at once.

``stage_memory`` counts what the stages of a pipeline hold; here the machine says what a training program keeps on it,
and of each candidate the fullest stage is taken. Held against measured ranks by ``tests/benchmarks/memory_truth.py``.
"""

from dataclasses import dataclass, fields

import numpy as np

from sixnd.planner.activations import Tokens
from sixnd.planner.candidates import Floats, Ints, Layouts
from sixnd.planner.machine import Machine
from sixnd.planner.split import FP32_STATE, Software, StateBytes
from sixnd.planner.stage import Stage
from sixnd.planner.stage_memory import StageMemory, Stages
from sixnd.planner.transformer import Transformer
from sixnd.specs.plan import MemoryBreakdown, PlannedLayout

_SHORT_ID, _SHORT_IDS = 2, 65_500
"""Bytes of a token in Megatron's indexed files, twice as many from so many entries on (``DType.optimal_dtype``)."""
_BLOCK = 4000
"""Layouts that are counted together: so few that their arrays stay in a core's cache."""


@dataclass(frozen=True)
class MemoryTerms:
    """Bytes by what they hold, one entry a candidate."""

    parameters: Floats
    gradients: Floats
    optimizer: Floats
    activations: Floats
    """Kept for the backward passes in flight, and what passes through memory at the peak."""
    logits: Floats
    overhead: Floats
    """Context, communication buffers and allocator slack."""
    stage: Floats
    """The fullest pipeline stage, from 0."""
    moment: Ints
    """When it peaks: index into ``stage_memory.MOMENTS``."""

    @property
    def total(self) -> Floats:
        """Bytes on the fullest rank."""
        return self.parameters + self.gradients + self.optimizer + self.activations + self.logits + self.overhead


def memory_terms(model: Transformer, layouts: Layouts, machine: Machine, global_batch: int) -> MemoryTerms:
    """Bytes on the fullest rank of every candidate; ``global_batch`` in sequences."""
    software, state = program(machine)
    accelerator, found = machine.accelerator, []
    for block in map(Layouts.as_floats, layouts.blocks(_BLOCK)):
        at = Tokens(model.architecture, block, software, model.sequence, adapters=model.adapters)
        held = fullest_stage(at, state, block.micro_batches(global_batch))
        overhead = accelerator.process_bytes + accelerator.allocator_slack * held.allocated + held.buffers
        states = (held.parameters, held.gradients, held.optimizer)
        found.append((*states, held.activations + held.passing, held.logits, overhead, held.stage, held.moment))
    columns = [np.concatenate(parts) for parts in zip(*found, strict=True)]
    return MemoryTerms(*columns)


def fullest_stage(at: Tokens, state: StateBytes, micro_batches: Floats) -> StageMemory:
    """The fullest stage of every layout, without what no tensor explains."""
    return Stages(at, state).fullest(Stage.of_kinds(at.model, at.layouts), micro_batches)


def program(machine: Machine) -> tuple[Software, StateBytes]:
    """What our runner keeps on a machine.

    Below BF16 only matrix products are quantised: weights, gradients and optimizer are those of BF16 training. FP4 is
    counted as FP8, for want of a source that says what its recipes keep.
    On a CPU layers are Megatron's own on plain PyTorch (``tests/runner/test_kept_tensors.py`` counts what they keep).
    """
    wide = machine.precision == "fp32"
    quantised = machine.precision in ("fp8", "fp4")
    software = Software(
        element_bytes=machine.element_bytes,
        plain_layers=machine.accelerator.kind == "cpu",
        quantised_products=quantised,
    )
    return software, FP32_STATE if wide else StateBytes(quantised=2 if quantised else 0)


def peak_memory(
    model: Transformer, layout: PlannedLayout, machine: Machine, global_batch: int, tokens: float = 0.0
) -> MemoryBreakdown:
    """Bytes on the fullest rank of one layout; of a process on a CPU with the text of ``tokens`` that it maps."""
    terms = memory_terms(model, Layouts.of(layout), machine, global_batch)
    names = [f.name for f in fields(MemoryTerms) if f.name not in ("stage", "moment")]
    parts = {name: float(getattr(terms, name)[0]) for name in names}
    if machine.accelerator.kind == "cpu":  # the kernel counts what was read of a mapped file to the process
        parts["overhead"] += tokens / layout.data * (_SHORT_ID if model.vocab < _SHORT_IDS else 2 * _SHORT_ID)
    return MemoryBreakdown(rank=_name(int(terms.stage[0]), layout.pipeline), **parts)


def _name(stage: int, pipeline: int) -> str:
    if pipeline == 1:
        return "the only pipeline stage"
    names = {0: "first pipeline stage", pipeline - 1: "last pipeline stage"}
    return names.get(stage, f"pipeline stage {stage + 1} of {pipeline}")
