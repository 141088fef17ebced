"""The status of a run is told from its record and its age alone."""

import math

import pytest

from sixnd.specs.record import End, RunRecord
from sixnd.status import status_of
from tests.specs.test_record import step


def end(status: str) -> End:
    return End(attempt=1, time="2026-11-25T00:00:00Z", status=status, message="why", step=2, exit_code=1)


def status(*events, steps: int = 10, silent_s: float = 1.0):
    return status_of(RunRecord(events=list(events)), "name/0123abcd", steps, silent_s)


@pytest.mark.parametrize("state", ["finished", "failed", "interrupted"])
def test_the_last_end_tells_the_state(state):
    assert status(step(1), end(state)).state == state


def test_a_resumed_run_is_running_again_though_an_earlier_attempt_failed():
    assert status(step(1), end("failed"), step(2, attempt=2)).state == "running"


def test_a_run_without_an_end_is_running_while_its_record_grows_and_silent_when_it_does_not():
    assert status(step(1), silent_s=60).state == "running"
    told = status(step(1), silent_s=7200)
    assert told.state == "silent"
    assert "killed, or hung" in told.line()


def test_slow_steps_are_waited_for():
    slow = step(1).model_copy(update={"step_time_s": 600.0})
    assert status(slow, silent_s=1200).state == "running"


def test_the_time_left_is_the_remaining_steps_at_the_median_pace():
    paces = [step(n).model_copy(update={"step_time_s": s}) for n, s in ((1, 2.0), (2, 2.0), (3, 50.0))]
    assert status(*paces, steps=103).eta_s == 200.0


def test_a_run_before_its_first_step_has_no_loss_and_no_time_left():
    told = status()
    assert (told.step, told.loss, told.eta_s) == (0, None, None)
    assert told.line() == "name/0123abcd: running · step 0/10"


def test_a_loss_that_is_not_a_number_is_null_in_json_and_plain_in_text():
    told = status(step(1, loss=math.nan))
    assert told.plain()["loss"] is None
    assert "loss nan" in told.line()
