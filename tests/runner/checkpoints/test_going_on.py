"""What a start of a run goes on from."""

from pathlib import Path

import pytest

from sixnd.runner.checkpoints.going_on import keep_earlier_plan, layout_change, take_up
from sixnd.runner.job import JobFolder
from sixnd.runner.journal import append_event
from sixnd.runner.provenance import launch_event
from sixnd.specs.checkpoint_events import CheckpointSaved, CheckpointSkipped, LayoutChanged
from sixnd.specs.errors import SixndError
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord, read_record
from tests.runner import tiny
from tests.runner.checkpoints.damage import flip, written

PLAN = tiny.plan()


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    made = JobFolder(tmp_path / "tiny" / PLAN.fingerprint())
    made.create(PLAN)
    return made


def saved(folder: JobFolder, *steps: int) -> RunRecord:
    for step in steps:
        path = written(folder.checkpoints_path, step, fingerprint=PLAN.fingerprint())
        append_event(folder.record_path, CheckpointSaved(attempt=1, step=step, path=path.name, seconds=0.1))
    return read_record(folder.record_path)


def test_a_damaged_checkpoint_is_told_recorded_and_set_aside(folder: JobFolder) -> None:
    record, said = saved(folder, 2, 4), list[str]()
    flip(folder.checkpoints_path / "step_00000004" / "__0_0.distcp", 100)
    (folder.checkpoints_path / "step_00000006-1.partial").mkdir()
    assert take_up(folder, PLAN, record, 2, said.append) == 2
    assert len(said) == 1
    assert "step_00000004 is skipped: __0_0.distcp is damaged" in said[0]
    event = read_record(folder.record_path).last(CheckpointSkipped)
    assert (event.attempt, event.step, event.path) == (2, 4, "checkpoints/step_00000004")
    assert event.reason.startswith("__0_0.distcp")
    names = sorted(path.name for path in folder.checkpoints_path.iterdir())
    assert names == ["step_00000002", "step_00000004.damaged"], "what was being written is gone"
    assert take_up(folder, PLAN, record, 3, said.append) == 2
    assert len(said) == 1, "told once"


def test_a_run_whose_checkpoints_are_gone_does_not_begin_anew_by_itself(folder: JobFolder) -> None:
    record = saved(folder, 2)
    (folder.checkpoints_path / "step_00000002").rename(folder.path / "elsewhere")
    with pytest.raises(SixndError, match=r"tells of one after step 2; restore it, or move .* away"):
        take_up(folder, PLAN, record, 2, print)


def test_a_run_that_never_saved_begins_anew(folder: JobFolder) -> None:
    assert take_up(folder, PLAN, RunRecord(events=[]), 2, print) == 0


def launched(folder: JobFolder, plan: Plan, attempt: int) -> RunRecord:
    append_event(folder.record_path, launch_event(folder, plan, attempt, 0, folder.path))
    return read_record(folder.record_path)


def test_another_layout_of_the_same_model_is_recorded_and_the_plan_before_it_kept(folder: JobFolder) -> None:
    other = tiny.plan(tiny.layout(tensor=2, data=2))
    assert layout_change(PLAN, RunRecord(events=[]), 1, 0) is None
    record = launched(folder, PLAN, 1)
    assert layout_change(PLAN, record, 2, 4) is None
    change = layout_change(other, record, 2, 4)
    assert change == LayoutChanged(
        attempt=2,
        step=4,
        before=PLAN.layout.label(),
        after=other.layout.label(),
        ranks_before=1,
        ranks_after=4,
        plan_sha256_before=PLAN.digest(),
        plan_sha256_after=other.digest(),
    )
    keep_earlier_plan(folder, PLAN, record)
    assert folder.plan() == PLAN
    keep_earlier_plan(folder, other, record)
    folder.create(other)
    assert folder.plan() == other
    assert (folder.path / "plan-of-attempt-1.yaml").read_text() == PLAN.to_yaml()
