"""Batch ramp: from the spec's tokens to whole steps of whole sequences, and what those steps cost.

Stages follow the rule by which Megatron counts micro-batches (``num_microbatches_calculator`` of Megatron-core 0.16): a
batch is taken from the first step on that begins with so many samples read, so no sample is lost or read twice where
the batch changes.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from sixnd.planner.hyperparameters import whole_sequences
from sixnd.planner.layout import step_time
from sixnd.planner.rules import Setting
from sixnd.planner.sites import with_link
from sixnd.specs.batch_ramp import BatchRamp, PlannedBatch
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import ContradictionError, InfeasibleError, Path, Problem
from sixnd.specs.plan import PlannedLayout
from sixnd.specs.step_batches import StepBatches

MOST_STAGES = 1000
_SLACK = 0.05
"""How far a stage's batch may move to divide better: what it is exactly matters less than that of the full batch."""
_PLACE: Path = ("training", "batch_ramp")
_EXACT = 1e-9  # sequences: what rounding of tokens by a float can amount to


@dataclass(frozen=True)
class _Taken:
    """A batch, and the sequences after which it is taken."""

    after: float
    batch: int


def planned_batches(
    ramp: BatchRamp | None, full: int, length: int, tokens: float, whole: Callable[[float], int] = math.floor
) -> tuple[int, StepBatches]:
    """Steps that read ``tokens``, and their batches; ``full`` is in sequences, each of ``length`` tokens.

    What is left after the ramp is made ``whole`` steps of the full batch; without a ramp there may be none. Raises
    ``InfeasibleError`` where the ramp leaves none, ``ContradictionError`` where it does not rise to the full batch.
    """
    if ramp is None:
        return whole(tokens / (full * length) * (1 + 1e-12)), StepBatches(full)
    samples, stages, read = tokens / length, list[PlannedBatch](), 0
    taken = _asked(ramp, full, length, samples)
    for now, then in itertools.pairwise(taken):
        first, steps = _next(stages), math.ceil((then.after - read) / now.batch - _EXACT)
        if steps > 0:  # a stage shorter than a step of the one before is passed over
            stages.append(PlannedBatch(first_step=first, last_step=first + steps - 1, global_batch=now.batch))
            read += steps * now.batch
    first, steps = _next(stages), whole((samples - read) / full * (1 + 1e-12))
    if steps < 1:
        raise InfeasibleError(
            f"training.batch_ramp reaches the full batch after {read * length:,} tokens, and there are {tokens:,.0f}: "
            f"not one step of {full * length:,} is left",
            "shorten the ramp or raise the budget",
            (Problem(_PLACE, "the ramp leaves no step of the full batch", "shorten it"),),
        )
    stages.append(PlannedBatch(first_step=first, last_step=first + steps - 1, global_batch=full))
    return stages[-1].last_step, StepBatches(full, tuple(stages) if len(stages) > 1 else ())


def _next(stages: list[PlannedBatch]) -> int:
    return stages[-1].last_step + 1 if stages else 1


def _asked(ramp: BatchRamp, full: int, length: int, samples: float) -> list[_Taken]:
    """Every batch in sequences with where it begins, the full one last."""
    found = list(_listed(ramp, length) if ramp.stages else _linear(ramp, full, length, samples))
    for now, then in zip(found, [*(one.batch for one in found[1:]), full], strict=True):
        if now.batch >= then:
            message = f"the ramp's batch of {now.batch:,} sequences is not below the {then:,} that follow it"
            do = "start lower, or raise training.global_batch"
            raise ContradictionError(Problem(_PLACE, message, do, also=(("training", "global_batch"),)))
    return [*found, _Taken(_end(ramp, length, samples), full)]


def _end(ramp: BatchRamp, length: int, samples: float) -> float:
    """Sequences after which the full batch is taken."""
    if ramp.stages:
        return ramp.stages[-1].until / length
    return ramp.tokens / length if ramp.tokens else (ramp.fraction or 0.0) * samples


def _listed(ramp: BatchRamp, length: int) -> Iterator[_Taken]:
    after = 0.0
    for stage in ramp.stages or []:
        yield _Taken(after, whole_sequences(stage.global_batch / length, _SLACK))
        after = stage.until / length


def _linear(ramp: BatchRamp, full: int, length: int, samples: float) -> Iterator[_Taken]:
    """Equal increments, each for as many samples: a batch is start + k · increment from k / K of the ramp on."""
    assert ramp.start is not None, "checked with the spec"
    start = whole_sequences(ramp.start / length, _SLACK)
    more = start if ramp.increment is None else whole_sequences(ramp.increment / length, _SLACK)
    count = max(1, math.ceil((full - start) / more))
    if count > MOST_STAGES:
        message = f"the batch would grow {count:,} times, and a plan holds at most {MOST_STAGES:,}"
        place = (*_PLACE, "increment")
        raise ContradictionError(Problem(place, message, "raise increment", also=((*_PLACE, "start"),)))
    each = _end(ramp, length, samples) / count
    return (_Taken(i * each, start + i * more) for i in range(count))


class StageSeconds:
    """Seconds of a step by its batch, by the model that gives the full batch's."""

    def __init__(self, setting: Setting, layout: PlannedLayout, spec: BudgetSpec) -> None:
        self.setting, self.layout, self.spec = setting, layout, spec
        self.known: dict[int, float] = {}

    def of(self, batch: int) -> float:
        """Seconds of one step of so many sequences."""
        if batch not in self.known:
            time = step_time(replace(self.setting, global_batch=batch), self.layout)
            parts = with_link(time, self.spec, self.setting.model.params).plain()
            self.known[batch] = float(sum(parts.values()))
        return self.known[batch]

    def saved_s(self, batches: StepBatches) -> float:
        """Seconds that all steps take less than as many full ones."""
        return sum(one.steps * (self.of(batches.full) - self.of(one.global_batch)) for one in batches.stages)
