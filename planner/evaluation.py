"""What the model in training is measured on, when, and what that costs."""

import math

from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import InfeasibleError
from sixnd.specs.evaluation import MOST_TASK_STEPS
from sixnd.specs.plan import Decision, PlannedEvaluation, PlannedTraining
from sixnd.specs.step_batches import StepBatches

_NOTABLE = 0.05
_ABOUT = 10


def validation_steps(spec: BudgetSpec, steps: int) -> int:
    """Steps between validations: the spec's, or such that there are about ten."""
    return spec.evaluation.every_steps or math.ceil(steps / _ABOUT)


def validation_batches(spec: BudgetSpec, read: StepBatches, length: int) -> int:
    """Full global batches of one validation: the spec's, or as many as hold its tokens."""
    asked = spec.evaluation
    return asked.batches if asked.tokens is None else math.ceil(asked.tokens / (read.full * length))


def source_batches(spec: BudgetSpec, read: StepBatches, length: int) -> int:
    """Global batches of each source: the spec's, or over all sources about as many as of the blend."""
    blend = validation_batches(spec, read, length)
    return spec.evaluation.source_batches or math.ceil(blend / len(spec.data.sources))


def measured(spec: BudgetSpec, every_steps: int, steps: int, read: StepBatches, length: int) -> PlannedEvaluation:
    """Sources and tasks beside the validation each ``every_steps``.

    Raises ``InfeasibleError`` where tasks would be answered more often than is of use.
    """
    asked = spec.evaluation
    found = task_steps(spec, every_steps, steps, read, length) if asked.tasks else []
    return PlannedEvaluation(
        every_steps=every_steps,
        batches=validation_batches(spec, read, length),
        source_batches=source_batches(spec, read, length),
        tasks=asked.tasks,
        task_steps=found,
        items=asked.items if asked.tasks else 0,
        item_seed=asked.item_seed,
    )


def task_steps(spec: BudgetSpec, every_steps: int, steps: int, read: StepBatches, length: int) -> list[int]:
    """Steps after which the tasks are answered: the first ones that reach the tokens asked for, and the last."""
    _check_times(_asked_times(spec, every_steps, steps, read, length))
    chosen = _chosen(spec, every_steps, steps, read, length)
    _check_times(len(chosen))
    return chosen


def answerings(spec: BudgetSpec, every_steps: int, steps: int, read: StepBatches, length: int) -> int:
    """How often the tasks are answered; where a plan would refuse so many, as often as it would hold."""
    if not spec.evaluation.tasks:
        return 0
    if _asked_times(spec, every_steps, steps, read, length) > MOST_TASK_STEPS:
        return min(steps, MOST_TASK_STEPS)
    return min(len(_chosen(spec, every_steps, steps, read, length)), MOST_TASK_STEPS)


def _asked_times(spec: BudgetSpec, every_steps: int, steps: int, read: StepBatches, length: int) -> int:
    """Times that the spec names, of which some may fall on one step."""
    asked = spec.evaluation
    if asked.at:
        return len(asked.at)
    if asked.every is not None:
        return math.floor(read.samples_after(steps) * length / asked.every)
    return steps // every_steps


def _chosen(spec: BudgetSpec, every_steps: int, steps: int, read: StepBatches, length: int) -> list[int]:
    asked, times = spec.evaluation, range(1, _asked_times(spec, every_steps, steps, read, length) + 1)
    if asked.at:
        found = [read.step_reaching(tokens / length) for tokens in asked.at]
    elif asked.every is not None:
        found = [read.step_reaching(number * asked.every / length) for number in times]
    else:
        found = [number * every_steps for number in times]
    return sorted({max(1, step) for step in found if step <= steps} | {steps})


def _check_times(times: int) -> None:
    if times > MOST_TASK_STEPS:
        raise InfeasibleError(
            f"evaluation: the tasks would be answered {times:,} times, and a plan holds at most {MOST_TASK_STEPS:,}",
            "raise evaluation.every or evaluation.every_steps",
        )


def task_decisions(
    spec: BudgetSpec, planned: PlannedEvaluation, trained: PlannedTraining, sequence: int, share: float
) -> list[Decision]:
    """Which tasks, how often, and which ``share`` of the training's time all evaluations add; nothing without tasks."""
    if not planned.tasks:
        return []
    read = trained.batches.samples_after(trained.steps) * sequence
    beyond = sum(tokens > read for tokens in spec.evaluation.at)
    reason = (
        f"{planned.items:,} items each, answered after {len(planned.task_steps):,} steps of the run; all evaluations "
        f"add at most {share:.1%} to the training's time, which the wall time counts"
        + (f"; {beyond} of evaluation.at lie beyond the run's tokens" if beyond else "")
    )
    return [
        Decision(
            what="evaluation.tasks",
            value=", ".join(planned.tasks),
            reason=reason,
            source="spec: evaluation.tasks",
            pinned=True,
        )
    ]


def evaluation_warnings(planned: PlannedEvaluation, share: float) -> list[str]:
    """Told where evaluations with tasks cost so much of the training's time that fewer are worth a thought."""
    if not planned.tasks or share <= _NOTABLE:
        return []
    return [
        f"evaluation: forward passes add up to {share:.0%} to the training's time; fewer items, batches or times would "
        "cost less"
    ]
