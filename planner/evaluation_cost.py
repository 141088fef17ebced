"""What the evaluations of a run cost: forward passes of all that they read, over the training's own step time."""

import math
from dataclasses import replace
from typing import NamedTuple

from sixnd.planner.evaluation import answerings, source_batches, validation_batches, validation_steps
from sixnd.planner.goodput import WallClock
from sixnd.planner.intervals import checkpoint_steps
from sixnd.planner.transformer import Transformer
from sixnd.planner.utilisation import forward_share
from sixnd.specs.evaluation import ITEM_TOKENS, TASK_ROWS
from sixnd.specs.plan import PlannedLayout, TimeBreakdown
from sixnd.specs.step_batches import StepBatches


class Reading(NamedTuple):
    """One kind of evaluation, and how much of it there is at most."""

    what: str
    times: int
    batches: float
    """Global batches, full ones, read each time."""


def readings(clock: WallClock, read: StepBatches, length: int) -> list[Reading]:
    """What all evaluations of a run read; ``length`` is of a sequence, in tokens."""
    spec, steps = clock.spec, clock.steps
    asked, every = spec.evaluation, validation_steps(spec, steps)
    times, sources = math.ceil(steps / every), len(spec.data.sources)
    base = 1 if spec.continual else 0  # a base is measured before it is trained on
    rows = asked.items * sum(TASK_ROWS[task] for task in asked.tasks)
    validations = times + base + _before_checkpoints(clock, every)
    found = [
        Reading("validations", validations, validation_batches(spec, read, length)),
        Reading("losses by source", times + base, source_batches(spec, read, length) * sources),
        Reading(
            "answerings of the tasks",
            answerings(spec, every, steps, read, length),
            rows * min(ITEM_TOKENS, length) / (read.full * length),
        ),
    ]
    return [each for each in found if each.times and each.batches]


def _before_checkpoints(clock: WallClock, every: int) -> int:
    """Validations by which the best checkpoints are known, where none is due anyway."""
    if not clock.spec.checkpoints.keep_best:
        return 0
    saved = clock.spec.checkpoints.every_steps or checkpoint_steps(clock)
    return clock.steps // saved - clock.steps // math.lcm(every, saved)


def passes_s(time: TimeBreakdown) -> float:
    """Seconds of a step's forward and backward passes; an evaluation reduces no gradients and moves no weights."""
    none = ("data_parallel", "optimizer", "between_sites")
    return float(sum(seconds for part, seconds in time.plain().items() if part not in none))


def forward_s(model: Transformer, layout: PlannedLayout, time: TimeBreakdown) -> float:
    """Seconds of a full batch's forward pass: its share of the FLOPs of a step's passes.

    A third where all weights learn, a half of nearly frozen ones, less where layers run forward twice.
    """
    return forward_share(model, layout) * passes_s(time)


def evaluated(
    clock: WallClock, model: Transformer, layout: PlannedLayout, time: TimeBreakdown, read: StepBatches
) -> WallClock:
    """The wall-clock with the time of the run's evaluations, at most."""
    batches = sum(each.times * each.batches for each in readings(clock, read, model.sequence))
    return replace(clock, evaluated_s=batches * forward_s(model, layout, time))
