"""What a resumed run knows of the alarms before it."""

from hypothesis import given
from hypothesis import strategies as st

from sixnd.runner.supervision.history import History, Skipped, applied_steps, history_of
from sixnd.specs.record import RunRecord
from sixnd.specs.run_events import Alarm
from tests.specs.test_record import step


def alarm(at: int, action: str, to_step: int | None = None) -> Alarm:
    return Alarm(
        attempt=1, step=at, rule="loss-spike", value=9, threshold=3, action=action, message="why", to_step=to_step
    )


def record(*events: object) -> RunRecord:
    return RunRecord(events=list(events))


def test_steps_that_were_rolled_back_over_are_passed() -> None:
    history = history_of(record(alarm(6, "rollback", 4)), 4)
    assert [history.past(at) for at in range(3, 8)] == [3, 6, 6, 6, 7]


def test_from_an_older_checkpoint_the_steps_before_the_rollback_are_trained_again() -> None:
    history = history_of(record(alarm(6, "rollback", 4)), 2)
    assert (history.past(2), history.past(3), history.past(4)) == (2, 3, 6)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=6), st.integers(0, 60))
def test_what_is_passed_is_passed_once_and_never_backwards(parts: list[tuple[int, int]], at: int) -> None:
    history = History([Skipped(after, after + length) for after, length in parts], [])
    reached = history.past(at)
    assert reached >= at
    assert history.past(reached) == reached


def test_interventions_after_the_checkpoint_are_done_anew_and_counted_then() -> None:
    events = record(alarm(3, "skip"), alarm(9, "skip"), alarm(9, "skip"))
    assert history_of(events, 8).interventions == [3]
    assert history_of(events, 9).interventions == [3, 9]
    assert history_of(events, 9).recent_interventions(10, 5) == 1


def test_an_alarm_that_only_warned_is_no_intervention() -> None:
    assert history_of(record(alarm(3, "warn"), alarm(4, "stop")), 9) == History([], [])


def test_rollbacks_are_never_judged_again_and_always_count() -> None:
    assert history_of(record(alarm(6, "rollback", 4)), 4).interventions == [6]
    assert history_of(record(alarm(6, "rollback", 4)), 4).recent_interventions(7, 5) == 1


def test_what_was_skipped_is_not_learnt_from_and_what_was_rolled_back_later_is() -> None:
    """The first run had learnt from steps 5 and 6 before it rolled back at 7: so has one that resumes."""
    skipped = step(3).model_copy(update={"applied": False})
    spike = step(7).model_copy(update={"applied": False})
    events = record(step(1), step(2), skipped, step(4), step(5), step(6), spike, alarm(7, "rollback", 4), step(8))
    assert [s.step for s in applied_steps(events, 0, 4)] == [1, 2, 4]
    assert [s.step for s in applied_steps(events, 4, 7)] == [5, 6]


def test_a_step_that_was_retried_has_had_its_chance_also_where_the_run_resumes_before_it() -> None:
    history = history_of(record(alarm(6, "retry", 4), alarm(9, "retry")), 4)
    assert history.retried == {6, 9}
    assert history.interventions == [6, 9]
    assert [history.past(at) for at in (4, 5, 8)] == [4, 5, 8], "nothing is passed over"
