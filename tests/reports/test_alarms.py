"""Alarms in a run's report."""

import math

from sixnd.reports.alarms import alarm_lines, alarm_marks, alarm_rows
from sixnd.reports.facts import run_facts
from sixnd.reports.run_charts import run_charts
from sixnd.reports.step_table import step_table
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord
from sixnd.specs.run_events import Alarm
from tests.reports.build import Story


def alarm(step: int, action: str = "skip", value: float = 9.0, rule: str = "loss-spike", attempt: int = 1) -> Alarm:
    told = {"attempt": attempt, "step": step, "rule": rule, "value": value, "threshold": 3, "message": "the loss is 9"}
    return Alarm.model_validate(told | {"action": action, "to_step": 2 if action == "rollback" else None})


def test_alarms_are_counted_by_rule_and_by_what_was_done_with_the_steps_that_they_cost(small_plan: Plan) -> None:
    story = Story(small_plan).launch(1, "t").train(1, 1, 5)
    story.events += [alarm(5, "rollback", 12.0), *Story(small_plan).train(1, 6, 9).events, alarm(9, "warn", 7.5)]
    record = story.record()
    rolled, warned = alarm_rows(record, step_table(record))
    assert (rolled.done, rolled.times, rolled.undone) == ("rolled back", 1, 3)
    assert rolled.lost.value == 3 * 0 + sum(e.step_time_s for e in story.events if getattr(e, "step", 0) in (3, 4, 5)
                                            and e.kind == "step")  # fmt: skip
    assert (warned.done, warned.undone) == ("trained on", 0)
    assert rolled.worst == "12 at step 5, alarm from 3"


def test_the_worst_alarm_is_the_one_farthest_beyond_its_threshold_and_no_number_is_worse(small_plan: Plan) -> None:
    record = RunRecord(events=[alarm(4), alarm(5, value=30.0), alarm(6, value=4.0)])
    assert alarm_rows(record, step_table(record))[0].worst.startswith("30 at step 5")
    record = RunRecord(events=[alarm(4), alarm(6, value=math.nan)])
    assert alarm_rows(record, step_table(record))[0].worst == "not a number at step 6"
    slow = RunRecord(events=[alarm(s, "warn", v, "throughput") for s, v in ((1, 0.6), (2, 0.4), (3, 0.5))])
    assert alarm_rows(slow, step_table(slow))[0].worst.startswith("0.4 at step 2")


def test_all_alarms_are_one_warning() -> None:
    record = RunRecord(events=[alarm(step) for step in range(1, 31)])
    (line,) = alarm_lines(alarm_rows(record, step_table(record)))
    assert line.startswith("30 alarms: loss-spike 30 × (batch skipped)")
    assert alarm_lines([]) == []


def test_an_alarm_that_was_raised_again_after_a_resume_is_marked_once() -> None:
    marks = alarm_marks(RunRecord(events=[alarm(4), alarm(6), alarm(6, attempt=2)]))
    assert [mark.step for mark in marks] == [4, 6]


def test_of_thousands_of_alarms_those_that_were_acted_upon_are_marked() -> None:
    events = [alarm(step, "skip" if step == 3 else "warn") for step in range(1, 5_000)]
    marks = alarm_marks(RunRecord(events=events))
    assert len(marks) == 300
    assert marks[0].step == 3


def test_alarms_of_steps_are_drawn_on_the_loss(small_plan: Plan, resumed: RunRecord) -> None:
    facts = run_facts(small_plan, RunRecord(events=[*resumed.events, alarm(233)]))
    losses = next(chart for chart in run_charts(facts) if chart.key == "losses")
    rows = [row for layer in losses.spec["layer"] for row in layer.get("data", {}).get("values", [])]
    tokens = 233 * small_plan.training.global_batch * small_plan.model.sequence_length
    assert {"tokens": float(tokens), "step": 233, "rule": "loss-spike", "done": "batch skipped"} in rows
