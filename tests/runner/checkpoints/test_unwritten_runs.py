"""Real runs of which one rank alone cannot write its part of a checkpoint: the ranks agree that there is none."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sixnd.runner.job import job_folder
from sixnd.specs.checkpoint_events import CheckpointFailed, CheckpointSaved
from sixnd.specs.errors import RunFailedError, RunPausedError
from sixnd.specs.record import End, Launch, RunRecord, read_record
from tests.runner.supervised import EVERY, STEPS, losses, plan, run

pytestmark = pytest.mark.integration


def checkpoints(record: RunRecord, attempt: int) -> list[tuple[int, bool]]:
    """Steps of the attempt's checkpoints, and whether they were written."""
    told = [e for e in record.events if isinstance(e, CheckpointFailed | CheckpointSaved) and e.attempt == attempt]
    return [(event.step, isinstance(event, CheckpointSaved)) for event in told]


def test_a_checkpoint_that_one_rank_cannot_write_is_an_event_and_the_run_goes_on(
    faulty: Callable[[str], None], tmp_path: Path
) -> None:
    faulty(f"files:{EVERY}")
    made = plan({"tensor": 2})
    record = run(made, tmp_path)
    assert checkpoints(record, 1) == [(EVERY, False), (2 * EVERY, True), (STEPS, True)]
    assert "rank 1" in record.of(CheckpointFailed)[0].reason
    assert "File too large" in record.of(CheckpointFailed)[0].reason
    names = sorted(path.name for path in job_folder(made, tmp_path).checkpoints_path.iterdir())
    assert names == [f"step_{step:08}" for step in (2 * EVERY, STEPS)]


def test_a_pause_without_a_checkpoint_says_so_and_a_second_failure_in_a_row_ends_the_run(
    faulty: Callable[[str], None], tmp_path: Path
) -> None:
    degrees = {"pipeline": 2}
    faulty("files:1")
    with pytest.raises(RunPausedError) as pause:
        run(plan(degrees, time_limit=1.0), tmp_path)
    assert "paused after step 1, without a checkpoint, which could not be written (rank 1" in str(pause.value)
    assert "the same `sixnd run` starts again from the beginning" in str(pause.value)

    faulty(f"files:{EVERY},{2 * EVERY}")
    with pytest.raises(RunFailedError) as failure:
        run(plan(degrees), tmp_path)
    assert f"the checkpoint of step {2 * EVERY} could not be written (rank 1" in str(failure.value)
    assert failure.value.exit_code == 6
    record = read_record(job_folder(plan(degrees), tmp_path).record_path)
    assert checkpoints(record, 2) == [(EVERY, False), (2 * EVERY, False)]
    assert not list(job_folder(plan(degrees), tmp_path).checkpoints_path.iterdir()), "nothing of it is left"

    faulty("files:0")
    record = run(plan(degrees), tmp_path)
    assert [end.status for end in record.of(End)] == ["paused", "failed", "finished"]
    assert [launch.resumed_from_step for launch in record.of(Launch)] == [0, 0, 0]
    assert sorted(losses(record)) == list(range(1, STEPS + 1))
