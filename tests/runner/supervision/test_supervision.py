"""What a rank decides about its steps, without a training."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.runner.job import JobFolder
from sixnd.runner.supervision.limits import Limit
from sixnd.runner.supervision.stopping import request_stop, stop_request
from sixnd.runner.supervision.supervision import Judgement, Supervisor
from sixnd.specs.document import Document
from sixnd.specs.record import event_line
from sixnd.specs.run_events import Alarm, Paused, Spent, Started
from tests.reports.build import Story
from tests.runner import tiny
from tests.specs.test_record import step


class Watched:
    """A supervisor of the rank that writes, and what it wrote."""

    def __init__(self, folder: Path, record: list[Document], **rules: object) -> None:
        (folder / "record.jsonl").write_text("".join(event_line(event) for event in record))
        plan = tiny.plan()
        supervision = plan.spec.supervision.model_copy(update={"window": 8, "budget_factor": None} | rules)
        plan = plan.model_copy(update={"spec": plan.spec.model_copy(update={"supervision": supervision})})
        self.written: list[Document] = []
        self.supervisor = Supervisor(JobFolder(folder), plan, 2, rank=0, stage=0, write=self.written.append)

    def judged(self, number: int, loss: float, norm: float = 1.0) -> Judgement:
        made = self.supervisor.judge(number, loss, norm, asked=False)
        self.supervisor.acted(made)
        return made

    def alarms(self) -> Iterator[tuple[int, str, str]]:
        return ((e.step, e.rule, e.action) for e in self.written if isinstance(e, Alarm))


def steps(*numbers: int) -> list[Document]:
    return [step(number, loss=3.0 + 0.001 * number) for number in numbers]


def test_a_resumed_rank_judges_by_the_record(tmp_path: Path) -> None:
    watched = Watched(tmp_path, steps(*range(1, 9)), loss_spike="skip")
    watched.supervisor.begin(8)
    assert not watched.judged(9, 30.0).applies
    assert watched.judged(10, 3.0).applies
    assert list(watched.alarms()) == [(9, "loss-spike", "skip")]


def test_steps_after_the_checkpoint_are_not_known_yet(tmp_path: Path) -> None:
    watched = Watched(tmp_path, steps(*range(1, 9)), loss_spike="skip")
    watched.supervisor.begin(1)
    assert watched.judged(2, 30.0).applies, "one step is too few to judge by"


def test_the_window_is_as_the_first_run_had_it_when_steps_are_passed_over(tmp_path: Path) -> None:
    spike = step(9, loss=90.0).model_copy(update={"applied": False})
    rolled = Alarm(
        attempt=1, step=9, rule="loss-spike", value=90, threshold=4, action="rollback", message="", to_step=4
    )
    record = [*steps(*range(1, 9)), spike, rolled]
    first = Watched(tmp_path, record)
    first.supervisor.begin(9)
    resumed = Watched(tmp_path, record)
    resumed.supervisor.begin(4)
    assert resumed.supervisor.past_skipped(4) == 9
    assert resumed.supervisor.steps.losses == first.supervisor.steps.losses
    assert resumed.supervisor.history == first.supervisor.history
    assert resumed.supervisor.past_skipped(9) == 9


def test_how_long_the_start_took_is_recorded_by_the_rank_that_writes(tmp_path: Path) -> None:
    began = datetime.now(UTC).isoformat(timespec="seconds")
    launch = Story(tiny.plan()).launch(2, began, resumed_from=8).events[0]
    watched = Watched(tmp_path, [*steps(*range(1, 9)), launch])
    watched.supervisor.begin(8)
    watched.supervisor.started(8)
    (told,) = [event for event in watched.written if isinstance(event, Started)]
    assert (told.attempt, told.step) == (2, 8)
    assert 0 <= told.seconds < 60
    silent = Supervisor(JobFolder(tmp_path), tiny.plan(), 2, rank=1, stage=0, write=None)
    silent.started(8)


def test_a_run_that_only_skips_is_stopped(tmp_path: Path) -> None:
    watched = Watched(tmp_path, [], most_interventions=3)
    watched.supervisor.begin(0)
    assert [watched.judged(number, math.nan).action for number in range(1, 6)] == ["skip"] * 3 + ["stop"] * 2


def test_interventions_long_ago_do_not_count(tmp_path: Path) -> None:
    watched = Watched(tmp_path, [], most_interventions=1)
    watched.supervisor.begin(0)
    assert watched.judged(1, math.nan).action == "skip"
    assert watched.judged(9, math.nan).action == "stop"
    assert watched.judged(10, math.nan).action == "skip"


def test_a_rollback_without_a_checkpoint_is_told_as_the_skip_it_was(tmp_path: Path) -> None:
    watched = Watched(tmp_path, [], non_finite="rollback")
    watched.supervisor.begin(0)
    made = watched.supervisor.judge(3, math.nan, 1.0, asked=False)
    watched.supervisor.acted(made, None)
    assert list(watched.alarms()) == [(3, "non-finite", "skip")]


def test_a_request_is_a_wish_and_its_reason_is_recorded(tmp_path: Path) -> None:
    watched = Watched(tmp_path, [])
    watched.supervisor.begin(0)
    request_stop(tmp_path, "somebody asked")
    assert watched.supervisor.wish()
    watched.supervisor.saved(5, 1.0)
    watched.supervisor.paused(5, "No space left on device")
    spent, paused = watched.written
    assert isinstance(spent, Spent)
    assert isinstance(paused, Paused)
    assert (paused.step, paused.reason, paused.unsaved) == (5, "somebody asked", "No space left on device")
    assert stop_request(tmp_path) is None, "it was done"


@pytest.mark.parametrize("given", [True, False])
def test_time_spent_pauses_where_it_was_given(tmp_path: Path, given: bool) -> None:
    watched = Watched(tmp_path, [])
    keeper = watched.supervisor.keeper
    assert keeper is not None
    keeper.limits = [Limit("time_s", 1.2, 1.0, pauses=given)]
    keeper.began -= 60
    watched.supervisor.begin(0)
    assert watched.supervisor.wish() is given
    assert [rule for _, rule, _ in watched.alarms()] == ["budget"]
    assert next(watched.alarms())[2] == ("pause" if given else "warn")
    keeper.looked = 0.0
    watched.supervisor.wish()
    assert len(watched.written) == 1, "told once"


def test_a_step_is_retried_once_then_skipped(tmp_path: Path) -> None:
    watched = Watched(tmp_path, [], non_finite="retry")
    watched.supervisor.begin(0)
    for _ in range(3):
        watched.judged(3, math.nan)
    watched.judged(4, math.nan)
    alarms = [(at, action) for at, _, action in watched.alarms()]
    assert alarms == [(3, "retry"), (3, "skip"), (3, "skip"), (4, "retry")]


def test_a_resumed_rank_does_not_retry_what_was_retried(tmp_path: Path) -> None:
    again = Alarm(attempt=1, step=9, rule="non-finite", value=0, threshold=0, action="retry", message="", to_step=8)
    watched = Watched(tmp_path, [*steps(*range(1, 9)), again], non_finite="retry")
    watched.supervisor.begin(8)
    assert watched.judged(9, math.nan).action == "skip"


@given(st.lists(st.floats(1.0, 5.0), min_size=20, max_size=40), st.integers(1, 19), st.integers(0, 19))
def test_after_going_back_a_rank_knows_what_one_that_resumes_there_knows(
    tmp_path_factory: pytest.TempPathFactory, losses: list[float], reached: int, rolled_to: int
) -> None:
    """Also where steps after it were rolled back over."""
    record = [step(number, loss=loss) for number, loss in enumerate(losses, 1)]
    rolled = Alarm(
        attempt=1, step=20, rule="loss-spike", value=9, threshold=4, action="rollback", message="", to_step=rolled_to
    )
    first, resumed = (Watched(tmp_path_factory.mktemp("run"), [*record, rolled]).supervisor for _ in range(2))
    first.begin(len(losses))
    first.went_back(reached)
    resumed.begin(reached)
    for supervisor in (first, resumed):
        assert supervisor.past_skipped(reached) == (20 if rolled_to <= reached < 20 else reached)
    assert first.steps.losses == resumed.steps.losses
    assert first.known == resumed.known
