"""Tiny plans whose batch grows."""

import itertools
from collections.abc import Sequence

from sixnd.specs.batch_ramp import PlannedBatch
from sixnd.specs.plan import Plan


def ramped(plan: Plan, stages: Sequence[tuple[int, int]], **training: object) -> Plan:
    """The plan with stages of so many steps of so many sequences each; the last one's batch is the full one."""
    ends = list(itertools.accumulate(steps for steps, _ in stages))
    planned = [
        PlannedBatch(first_step=end - steps + 1, last_step=end, global_batch=batch)
        for end, (steps, batch) in zip(ends, stages, strict=True)
    ]
    changes = {"steps": ends[-1], "global_batch": stages[-1][1], "batch_stages": planned} | training
    trained = plan.training.model_copy(update=changes)
    made = plan.model_copy(update={"training": trained})
    return made.model_copy(update={"data": made.data.model_copy(update={"tokens": made.tokens_after(ends[-1])})})
