"""Real runs in which something goes wrong: what is done about it, and that it is done again in the same way."""

import signal
from pathlib import Path

import psutil
import pytest

from sixnd.runner.attempt import with_restarts
from sixnd.runner.job import job_folder
from sixnd.runner.supervision.history import history_of
from sixnd.runner.supervision.stopping import request_stop
from sixnd.specs.errors import RunFailedError, RunPausedError, RunStoppedError
from sixnd.specs.record import End, Launch, Step, read_record
from sixnd.specs.run_events import Alarm, Paused, Spent
from tests.runner.supervised import EVERY, STEPS, after_step, losses, plan, run


@pytest.mark.integration
def test_a_bad_batch_is_skipped_and_a_run_that_pauses_goes_on_as_if_it_had_not(faulty, tmp_path: Path) -> None:
    faulty("nan:6")
    path = job_folder(plan(), tmp_path).path
    asking = after_step(path / "record.jsonl", 6, lambda: request_stop(path, "a test asked"))
    with pytest.raises(RunPausedError, match="with a checkpoint: a test asked"):
        run(plan(), tmp_path)
    asking.join()
    paused = read_record(path / "record.jsonl")
    at = paused.last(Paused).step
    assert 6 <= at < STEPS
    assert paused.last(End).status == "paused"
    assert paused.last(Spent).step == at

    record = run(plan(), tmp_path)
    assert [launched.resumed_from_step for launched in record.of(Launch)] == [0, at]
    assert [(a.step, a.rule, a.action) for a in record.of(Alarm)] == [(6, "non-finite", "skip")]
    assert [s.step for s in record.steps()] == list(range(1, STEPS + 1))
    assert [s.step for s in record.steps() if not s.applied] == [6]
    straight = run(plan(), tmp_path / "straight")
    assert losses(straight) == losses(record), "pausing changed nothing, to the last bit"


@pytest.mark.integration
@pytest.mark.parametrize(
    ("degrees", "fault"),
    [
        ({"data": 2}, "nan:6"),
        ({"tensor": 2}, "gradient:6"),
        ({"pipeline": 2}, "gradient:6"),
        ({"tensor": 2, "pipeline": 2}, "nan:6"),
    ],
    ids=["DP2", "TP2", "PP2", "TP2 PP2"],
)
def test_a_rollback_takes_the_last_checkpoint_and_skips_what_came_after_also_when_it_is_resumed(
    faulty, tmp_path: Path, degrees: dict[str, int], fault: str
) -> None:
    faulty(fault)
    made = plan(degrees, non_finite="rollback")
    record = run(made, tmp_path)
    [alarm] = record.of(Alarm)
    assert (alarm.step, alarm.action, alarm.to_step) == (6, "rollback", EVERY)
    alone = losses(run(plan(non_finite="rollback"), tmp_path / "alone"))
    for step, values in losses(record).items():
        assert values[0] == pytest.approx(alone[step][0], rel=1e-5), f"step {step}: the ranks decided alike"

    # The same record with no checkpoint after the rollback: the run goes on from step 4, and over 5 and 6.
    folder = job_folder(made, tmp_path)
    lines = folder.record_path.read_text().splitlines()
    cut = next(i for i, line in enumerate(lines) if '"kind": "alarm"' in line) + 1
    folder.record_path.write_text("\n".join(lines[:cut]) + "\n")
    for path in folder.checkpoints_path.glob("step_*"):
        if int(path.name.removeprefix("step_")) > EVERY:
            path.rename(tmp_path / path.name)
    again = run(made, tmp_path)
    assert again.of(Launch)[-1].resumed_from_step == EVERY
    repeated = {s.step: (s.loss, s.grad_norm) for s in again.of(Step) if s.attempt == 2}
    assert sorted(repeated) == list(range(7, STEPS + 1))
    assert repeated == {step: value for step, value in losses(record).items() if step > 6}
    assert history_of(again, STEPS).past(EVERY) == 6


@pytest.mark.integration
def test_an_alarm_that_stops_leaves_a_checkpoint_of_the_step_before(faulty, tmp_path: Path) -> None:
    faulty("nan:6")
    made = plan(non_finite="stop", restarts=3)
    with pytest.raises(RunStoppedError, match="stopped at step 6 by the rule non-finite"):
        run(made, tmp_path)
    record = read_record(job_folder(made, tmp_path).record_path)
    assert len(record.of(Launch)) == 1, "what stops a run would stop it again"
    assert (job_folder(made, tmp_path).checkpoints_path / "step_00000005").is_dir()

    record = run(plan(non_finite="skip"), tmp_path)
    assert record.of(Launch)[-1].resumed_from_step == 5


@pytest.mark.integration
def test_a_hung_rank_is_named_its_stack_is_written_and_the_run_starts_again_by_itself(tmp_path: Path) -> None:
    made = plan({"data": 2}, hang_floor=20.0, restarts=1, restart_wait=0.1)
    path = job_folder(made, tmp_path).path

    def stop_rank() -> None:
        for process in psutil.Process().children(recursive=True):
            if process.environ().get("RANK") == "1":
                process.send_signal(signal.SIGSTOP)

    stopping = after_step(path / "record.jsonl", 6, stop_rank)
    record = run(made, tmp_path)
    stopping.join()
    ends = record.of(End)
    assert [end.status for end in ends] == ["failed", "finished"]
    assert "Look at rank 1 on" in ends[0].message
    assert [(a.rule, a.action) for a in record.of(Alarm) if a.rule == "hang"] == [("hang", "end")]
    log = (path / "logs" / "attempt-1.log").read_text()
    assert log.count("Thread 0x") + log.count("Current thread 0x") >= 4, "threads of both ranks"
    undisturbed = run(plan({"data": 2}), tmp_path / "undisturbed")
    assert losses(record) == losses(undisturbed)


@pytest.mark.integration
def test_a_run_ends_with_a_checkpoint_before_its_time_limit(faulty, tmp_path: Path) -> None:
    faulty("slow:" + ",".join(str(n) for n in range(1, STEPS + 1)))
    with pytest.raises(RunPausedError, match=r"supervision\.time_limit is near"):
        run(plan(time_limit=20.0), tmp_path)


@pytest.mark.integration
def test_a_run_that_has_spent_its_budget_pauses_and_is_not_taken_up(tmp_path: Path) -> None:
    made = plan(budget_factor=1.2)
    budget = made.spec.budget.model_copy(update={"time": 1.0})
    poor = made.model_copy(update={"spec": made.spec.model_copy(update={"budget": budget})})
    with pytest.raises(RunPausedError, match=r"of wall-clock spent, more than 1\.2"):
        run(poor, tmp_path)
    launches = len(read_record(job_folder(poor, tmp_path).record_path).of(Launch))
    with pytest.raises(RunPausedError, match=r"raise supervision\.budget_factor"):
        run(poor, tmp_path)
    assert len(read_record(job_folder(poor, tmp_path).record_path).of(Launch)) == launches
    assert run(plan(), tmp_path).last(End).status == "finished"


def test_the_processes_of_a_failed_run_are_started_again_with_longer_waits() -> None:
    waits: list[float] = []

    def fail() -> None:
        raise RunFailedError("a rank died")

    rules = plan(restarts=3, restart_wait=250.0).spec.supervision
    with pytest.raises(RunFailedError):
        with_restarts(fail, rules, lambda _text: None, waits.append)
    assert waits == [250.0, 500.0, 600.0]
