"""When state is saved and the validation loss measured."""

import math

from sixnd.planner.evaluation import measured, validation_steps
from sixnd.planner.failures import best_interval_s
from sixnd.planner.goodput import AT_LEAST, WallClock, known_stops
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.checkpoint_policy import PlannedCheckpoints
from sixnd.specs.plan import PlannedEvaluation
from sixnd.specs.step_batches import StepBatches


def planned_checkpoints(clock: WallClock) -> PlannedCheckpoints:
    """The spec's interval, or Daly's, at least ten times in a run."""
    asked = clock.spec.checkpoints
    kept = asked.model_dump(include={"keep_last", "keep_every_nth", "keep_best"})
    return PlannedCheckpoints(every_steps=asked.every_steps or checkpoint_steps(clock), **kept)


def checkpoint_steps(clock: WallClock) -> int:
    """Daly's interval in whole steps, at most a tenth of the run; a tenth where the catalog knows no failures."""
    tenth = math.ceil(clock.steps / AT_LEAST)
    stops = known_stops(clock.spec, clock.machine, clock.params)
    return tenth if stops is None else max(1, min(tenth, round(best_interval_s(stops) / clock.step_time_s)))


def planned_evaluation(spec: BudgetSpec, steps: int, read: StepBatches, length: int) -> PlannedEvaluation:
    """The spec's interval, or about ten validations; sources and tasks at the same, unless the spec says else."""
    return measured(spec, validation_steps(spec, steps), steps, read, length)
