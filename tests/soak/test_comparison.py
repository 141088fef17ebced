"""The soak's comparison finds what it is there to find."""

from collections.abc import Callable

import pytest

from sixnd.specs.document import Document
from sixnd.specs.record import End, Launch, RunRecord, Step
from sixnd.specs.run_events import Alarm
from tests.soak.comparison import check_attempts, compare
from tests.soak.fault import Fault
from tests.soak.plan import STEPS
from tests.soak.soak import Made, rows_of
from tests.specs.test_record import step

END = End(attempt=1, time="", status="finished", message="", step=STEPS, exit_code=0)


def numbered(attempt: int, first: int, last: int) -> list[Document]:
    return [step(n, loss=3.0 + 1 / n).model_copy(update={"attempt": attempt}) for n in range(first, last + 1)]


def launch(attempt: int, resumed_from_step: int) -> Launch:
    told = {"attempt": attempt, "resumed_from_step": resumed_from_step, "world_size": 2, "cpu_count": 2, "seed": 1}
    words = dict.fromkeys(("time", "fingerprint", "plan_sha256", "layout", "host", "device", "command"), "")
    return Launch.model_validate(told | words | {"versions": {}, "git_commit": None})


def retry(at: int, to_step: int | None) -> list[Document]:
    ill = step(at, loss=float("nan")).model_copy(update={"applied": False})
    rule = {"rule": "non-finite", "value": 0, "threshold": 0, "message": ""}
    return [ill, Alarm.model_validate({"attempt": 1, "step": at, "action": "retry", "to_step": to_step} | rule)]


def record(*parts: list[Document]) -> RunRecord:
    return RunRecord(events=[event for part in parts for event in part])


STRAIGHT = record(numbered(1, 1, STEPS), [END])
REDONE = record(numbered(1, 1, 17), retry(18, 10), numbered(1, 11, 25), numbered(2, 21, STEPS), [END])


def test_steps_that_were_redone_alike_are_as_good_as_one_run() -> None:
    compare(STRAIGHT, REDONE)
    check_attempts(REDONE)


def changed(number: int, **values: object) -> Callable[[RunRecord], RunRecord]:
    """The record with other values in the event of that number; without the event where there are none."""

    def change(whole: RunRecord) -> RunRecord:
        events = list(whole.events)
        events[number : number + 1] = [events[number].model_copy(update=values)] if values else []
        return RunRecord(events=events)

    return change


@pytest.mark.parametrize(
    "change",
    [
        changed(5, loss=3.0),
        changed(22, grad_norm=1.0 + 1e-15),
        changed(50, learning_rate=0.1),
        changed(40),
        changed(18),
        changed(60, applied=False),
        changed(len(REDONE.events) - 1, status="paused"),
    ],
)
def test_anything_that_differs_is_found(change: Callable[[RunRecord], RunRecord]) -> None:
    with pytest.raises(AssertionError):
        compare(STRAIGHT, change(REDONE))


@pytest.mark.parametrize("number", [4, 25, 50])
def test_a_step_left_out_or_done_twice_within_an_attempt_is_found(number: int) -> None:
    with pytest.raises(AssertionError):
        check_attempts(changed(number)(REDONE))
    events = list(REDONE.events)
    with pytest.raises(AssertionError):
        check_attempts(RunRecord(events=[*events[:number], events[number], *events[number:]]))


def test_a_fault_is_told_with_where_the_run_went_on_and_what_it_did_again() -> None:
    def nothing(*_: object) -> None:
        raise AssertionError

    killed, ill = Fault("killed", "", "", nothing, code=6), Fault("ill", "", "", nothing)
    whole = record(
        numbered(1, 1, 25), [launch(2, 20)], numbered(2, 21, 30), retry(31, 30), numbered(2, 31, STEPS), [END]
    )
    rows = rows_of(whole, [Made(killed, 25, 25), Made(ill, 36, 40)])
    assert [(row.step, row.resumed, row.redone) for row in rows] == [(25, 20, 5), (30, None, 1)]
    assert isinstance(whole.events[25], Launch)
    assert isinstance(whole.events[35], Step)
