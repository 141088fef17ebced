"""What the model in training is measured on, when, and what that costs."""

import math

from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import InfeasibleError
from sixnd.specs.evaluation import ITEM_TOKENS, MOST_TASK_STEPS, TASK_ROWS
from sixnd.specs.plan import Decision, PlannedEvaluation, PlannedModel, PlannedTraining
from sixnd.specs.step_batches import StepBatches

_FORWARD = 1 / 3
"""FLOPs of a forward pass over those of a training step, whose backward pass is twice the forward one."""
_NOTABLE = 0.05


def measured(spec: BudgetSpec, every_steps: int, steps: int, read: StepBatches, length: int) -> PlannedEvaluation:
    """Sources and tasks beside the validation each ``every_steps``.

    Raises ``InfeasibleError`` where tasks would be answered more often than is of use.
    """
    asked = spec.evaluation
    found = task_steps(spec, every_steps, steps, read, length) if asked.tasks else []
    return PlannedEvaluation(
        every_steps=every_steps,
        batches=asked.batches,
        source_batches=asked.source_batches or math.ceil(asked.batches / len(spec.data.sources)),
        tasks=asked.tasks,
        task_steps=found,
        items=asked.items if asked.tasks else 0,
        item_seed=asked.item_seed,
    )


def task_steps(spec: BudgetSpec, every_steps: int, steps: int, read: StepBatches, length: int) -> list[int]:
    """Steps after which the tasks are answered: the first ones that reach the tokens asked for, and the last."""
    asked = spec.evaluation
    if asked.at:
        found = [read.step_reaching(tokens / length) for tokens in asked.at]
    elif asked.every is not None:
        times = math.floor(read.samples_after(steps) * length / asked.every)
        _check_times(times)
        found = [read.step_reaching(number * asked.every / length) for number in range(1, times + 1)]
    else:
        found = list(range(every_steps, steps + 1, every_steps))
    chosen = sorted({max(1, step) for step in found if step <= steps} | {steps})
    _check_times(len(chosen))
    return chosen


def _check_times(times: int) -> None:
    if times > MOST_TASK_STEPS:
        raise InfeasibleError(
            f"evaluation: the tasks would be answered {times:,} times, and a plan holds at most {MOST_TASK_STEPS:,}; "
            "raise evaluation.every or evaluation.every_steps"
        )


def cost_share(planned: PlannedEvaluation, sources: int, trained: PlannedTraining, sequence: int) -> float:
    """FLOPs of all evaluations over those of the training, at most: forward passes of what they read."""
    batch_tokens, read = trained.global_batch * sequence, trained.batches.samples_after(trained.steps) * sequence
    validations = math.ceil(trained.steps / planned.every_steps)
    held_out = validations * (planned.batches + planned.source_batches * sources) * batch_tokens
    rows = planned.items * sum(TASK_ROWS[task] for task in planned.tasks)
    answered = len(planned.task_steps) * rows * min(ITEM_TOKENS, sequence)
    return _FORWARD * (held_out + answered) / read


def task_decisions(
    spec: BudgetSpec, planned: PlannedEvaluation, trained: PlannedTraining, sequence: int
) -> list[Decision]:
    """Which tasks, how often, and what all evaluations cost; nothing where none is asked for."""
    if not planned.tasks:
        return []
    share = cost_share(planned, len(spec.data.sources), trained, sequence)
    read = trained.batches.samples_after(trained.steps) * sequence
    beyond = sum(tokens > read for tokens in spec.evaluation.at)
    reason = (
        f"{planned.items:,} items each, answered after {len(planned.task_steps):,} steps of the run; all evaluations "
        f"add at most {share:.1%} to the training's FLOPs, which the wall time does not count"
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


def evaluation_warnings(
    spec: BudgetSpec, planned: PlannedEvaluation, trained: PlannedTraining, model: PlannedModel
) -> list[str]:
    """Told where evaluations cost so much that the wall time, which leaves them out, misleads."""
    share = cost_share(planned, len(spec.data.sources), trained, model.sequence_length)
    if not planned.tasks or share <= _NOTABLE:
        return []
    return [
        f"evaluation: forward passes add up to {share:.0%} to the training's FLOPs, and the wall time does not count "
        "them; fewer items, batches or times would cost less"
    ]
