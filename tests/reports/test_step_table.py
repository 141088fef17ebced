"""Which steps of a run count, and what became of the others."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.reports.step_table import COUNTS, REPEATED, UNAPPLIED, StepTable, step_table, without_steps
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord, Step, Validation
from sixnd.specs.run_events import Alarm
from tests.reports.build import Story


def _alarm(step: int, action: str, to_step: int | None = None, attempt: int = 1) -> Alarm:
    told = {"attempt": attempt, "step": step, "rule": "loss-spike", "value": 9, "threshold": 3, "message": ""}
    return Alarm.model_validate(told | {"action": action, "to_step": to_step})


def _numbers(table: StepTable, fate: int) -> list[int]:
    return table.step[table.fate == fate].tolist()


def test_steps_behind_a_checkpoint_that_was_resumed_from_are_lost_to_the_attempt_that_stopped(
    small_plan: Plan, resumed: RunRecord
) -> None:
    table = step_table(resumed)
    assert _numbers(table, REPEATED) == list(range(201, 231))
    assert set(table.cause[table.fate == REPEATED].tolist()) == {1}
    assert table.step[table.current].tolist() == list(range(1, 401))
    assert set(table.attempt[table.current][200:].tolist()) == {2}


def test_a_run_that_was_resumed_has_reached_no_more_than_its_present_attempt(small_plan: Plan) -> None:
    story = Story(small_plan).launch(1, "2026-05-04T08:00:00Z").train(1, 1, 230)
    table = step_table(story.launch(2, "2026-05-04T08:10:00Z", resumed_from=200).train(2, 201, 210).record())
    assert table.reached == 210
    fresh = step_table(Story(small_plan).launch(1, "t").train(1, 1, 9).launch(2, "t").record())
    assert fresh.reached == 0


def test_a_rollback_undoes_the_steps_behind_its_checkpoint_which_stay_on_the_curve(small_plan: Plan) -> None:
    story = Story(small_plan).launch(1, "t").train(1, 1, 35)
    story.events.append(_alarm(35, "rollback", to_step=30))
    table = step_table(story.train(1, 36, 40).record())
    assert _numbers(table, UNAPPLIED) == [31, 32, 33, 34, 35]
    assert table.step[table.current].tolist() == list(range(1, 41))


def test_a_retry_counts_only_the_second_time(small_plan: Plan) -> None:
    story = Story(small_plan).launch(1, "t").train(1, 1, 35)
    story.events.append(_alarm(35, "retry", to_step=30))
    table = step_table(story.train(1, 31, 40).record())
    assert _numbers(table, UNAPPLIED) == [31, 32, 33, 34, 35]
    assert _numbers(table, COUNTS) == [*range(1, 31), *range(31, 41)]
    assert table.current.size == 40
    assert np.all(table.fate[table.current] == COUNTS)


def test_right_behind_a_retry_the_run_is_as_far_as_its_checkpoint(small_plan: Plan) -> None:
    story = Story(small_plan).launch(1, "t").train(1, 1, 35)
    story.events.append(_alarm(35, "retry", to_step=30))
    assert step_table(story.record()).reached == 30
    story.events[-1] = _alarm(35, "retry")  # before the first checkpoint its step alone is done again
    assert step_table(story.record()).reached == 34


def test_steps_that_were_rolled_back_over_stay_on_the_curve_of_a_run_that_goes_on_from_before_them(
    small_plan: Plan,
) -> None:
    story = Story(small_plan).launch(1, "t").train(1, 1, 35)
    story.events.append(_alarm(35, "rollback", to_step=30))
    story.train(1, 36, 38).launch(2, "t", resumed_from=30).train(2, 36, 40)
    table = step_table(story.record())
    assert table.step[table.current].tolist() == list(range(1, 41))
    assert (_numbers(table, UNAPPLIED), _numbers(table, REPEATED)) == ([31, 32, 33, 34, 35], [36, 37, 38])


def test_a_skipped_batch_is_charged_to_its_alarm(small_plan: Plan) -> None:
    story = Story(small_plan).launch(1, "t").train(1, 1, 5)
    story.events[-1] = story.events[-1].model_copy(update={"applied": False})
    story.events.append(_alarm(5, "skip"))
    table = step_table(story.train(1, 6, 9).record())
    assert (_numbers(table, UNAPPLIED), table.cause[4], table.reached) == ([5], 1, 9)


def test_a_warning_undoes_nothing(small_plan: Plan) -> None:
    story = Story(small_plan).launch(1, "t").train(1, 1, 5)
    story.events.append(_alarm(5, "warn"))
    assert _numbers(step_table(story.record()), COUNTS) == [1, 2, 3, 4, 5]


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 30)), min_size=1, max_size=6))
def test_whatever_the_stops_each_number_stands_once_and_every_step_has_one_fate(
    small_plan: Plan, attempts: list[tuple[int, int]]
) -> None:
    story, reached = Story(small_plan), 0
    for number, (done, back) in enumerate(attempts, 1):
        reached = max(0, reached - back)
        story.launch(number, "t", resumed_from=reached)
        story.train(number, reached + 1, reached + done)
        reached += done
    record = story.record()
    table = step_table(record)
    assert table.step[table.current].tolist() == list(range(1, reached + 1))
    assert sum(_count(table, fate) for fate in (COUNTS, REPEATED, UNAPPLIED)) == len(record.of(Step))
    assert _count(table, COUNTS) == reached


def _count(table: StepTable, fate: int) -> int:
    return int((table.fate == fate).sum())


def test_a_validation_of_a_step_that_was_gone_back_behind_is_no_longer_true(small_plan: Plan) -> None:
    story = Story(small_plan).launch(1, "t").train(1, 1, 130)
    record = story.launch(2, "t", resumed_from=100).train(2, 101, 110).record()
    kept = without_steps(record, step_table(record).reached)
    assert [v.step for v in record.of(Validation)] == [40, 80, 120]
    assert [v.step for v in kept.of(Validation)] == [40, 80]
    assert kept.of(Step) == []
