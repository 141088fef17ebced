"""When state is saved and the validation loss measured."""

import math

from sixnd.planner.machine import Machine
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.plan import PlannedCheckpoints, PlannedEvaluation

_ABOUT = 10
_STATE_BYTES = {"bf16": 2 + 12, "fp32": 4 + 8}
"""Bytes a parameter in a checkpoint: the weights, and the optimizer's FP32 state."""


def checkpoint_seconds(machine: Machine, params: int) -> float | None:
    """Young's interval √(2 · write time · time between failures), seconds; none where the catalog knows no failures.

    Young: A first order approximation to the optimum checkpoint interval. CACM 17(9), 1974.
    """
    a, count = machine.accelerator, machine.planned.count
    if a.hours_between_failures is None or a.checkpoint_bytes_per_s is None:
        return None
    write_s = params * _STATE_BYTES[machine.precision] / (a.checkpoint_bytes_per_s * count)
    return math.sqrt(2 * write_s * a.hours_between_failures * 3600 / count)


def planned_checkpoints(
    spec: BudgetSpec, machine: Machine, params: int, steps: int, step_time_s: float
) -> PlannedCheckpoints:
    """The spec's interval, or Young's, at least ten times in a run."""
    every = spec.checkpoints.every_steps or _every(steps, checkpoint_seconds(machine, params), step_time_s)
    return PlannedCheckpoints(every_steps=every, keep_last=spec.checkpoints.keep_last)


def _every(steps: int, interval_s: float | None, step_time_s: float) -> int:
    tenth = math.ceil(steps / _ABOUT)
    return tenth if interval_s is None else max(1, min(tenth, round(interval_s / step_time_s)))


def planned_evaluation(spec: BudgetSpec, steps: int) -> PlannedEvaluation:
    """The spec's interval, or about ten validations."""
    every = spec.evaluation.every_steps or math.ceil(steps / _ABOUT)
    return PlannedEvaluation(every_steps=every, batches=spec.evaluation.batches)
