"""Alarms in a run's report."""

from sixnd.reports.alarms import alarm_lines
from sixnd.specs.record import RunRecord
from sixnd.specs.run_events import Alarm


def alarm(step: int, attempt: int = 1) -> Alarm:
    return Alarm(
        attempt=attempt, step=step, rule="loss-spike", value=9, threshold=3, action="skip", message="the loss is 9"
    )


def test_an_alarm_that_was_raised_again_after_a_resume_is_told_once() -> None:
    record = RunRecord(events=[alarm(4), alarm(6), alarm(6, attempt=2)])
    assert alarm_lines(record) == ["Step 4, loss-spike: the loss is 9.", "Step 6, loss-spike: the loss is 9."]


def test_of_many_alarms_the_last_are_told_and_the_rest_counted() -> None:
    lines = alarm_lines(RunRecord(events=[alarm(step) for step in range(1, 31)]))
    assert len(lines) == 21
    assert lines[0].startswith("10 alarms before")
    assert lines[-1].startswith("Step 30")
