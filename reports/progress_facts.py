"""How far a run is that has not reached its last step, and where it ends at its present pace."""

import statistics

from sixnd.reports.attempts import times_of, wall_time
from sixnd.reports.comparison import Verdict, judge
from sixnd.reports.figures import estimated, exact
from sixnd.reports.run_documents import ProgressFacts, ProgressRow
from sixnd.reports.step_table import StepTable
from sixnd.specs.plan import Estimate, Plan
from sixnd.specs.record import Launch, RunRecord

_RECENT = 100
"""Steps whose median pace is that of those to come."""


def progress_facts(plan: Plan, record: RunRecord, steps: StepTable) -> ProgressFacts | None:
    """What is done and what is left; none before the first step and after the last."""
    wall, batches, last = wall_time(record, steps), plan.training.batches, plan.training.steps
    if wall is None or not 0 < steps.reached < last:
        return None
    done, all_samples = batches.samples_after(steps.reached), batches.samples_after(last)
    left_s = (all_samples - done) * _sample_s(plan, steps) * _with_stalls(record, steps)
    hours_each = plan.cluster.count / 3600 * plan.cluster.price_usd_per_accelerator_hour
    time, money, e = wall.seconds + left_s, (wall.seconds + left_s) * hours_each, plan.estimates
    totals = [
        ("wall_time", "Wall time at the end", "duration", time, e.wall_time_s),
        ("money", "Cost at the end", "money", money, e.money_usd),
    ]
    return ProgressFacts(
        step=steps.reached,
        steps=last,
        share=exact("share", done / all_samples),
        left=exact("duration", left_s),
        rows=[
            _row(key, label, kind, value, planned, at_least=wall.at_least)
            for key, label, kind, value, planned in totals
        ],
    )


def _row(key: str, label: str, kind: str, value: float, planned: Estimate, *, at_least: bool) -> ProgressRow:
    """A lower bound says nothing but that a total is above its interval."""
    figure, verdict = exact(kind, value), judge(planned, value)
    if at_least and value:
        figure = figure.model_copy(update={"text": f"≥ {figure.text}", "full": f"≥ {figure.full}"})
        verdict = verdict if verdict.direction == "above" else Verdict("so far")
    course = "open" if verdict.status == "so far" else verdict.text()
    return ProgressRow(key=key, label=label, figure=figure, planned=estimated(kind, planned), course=course)


def _sample_s(plan: Plan, steps: StepTable) -> float:
    """Seconds a sequence, over the last steps: a batch that grew is measured by what it reads."""
    recent = steps.current[-_RECENT:]
    return statistics.median(
        float(seconds) / plan.training.batches.of_step(int(step))
        for seconds, step in zip(steps.step_time_s[recent], steps.step[recent], strict=True)
    )


def _with_stalls(record: RunRecord, steps: StepTable) -> float:
    """Time of steps with evaluations and checkpoints between them, over that of the steps, so far.

    1 where the steps took no time: a record may say so, however wrong.
    """
    times = [times_of(record, steps, launch.attempt) for launch in record.of(Launch)]
    training = sum(each.steps for each in times)
    stalls = sum(each.evaluations + each.checkpoints for each in times)
    return 1 + stalls / training if training > 0 else 1.0
