from pathlib import Path

import pytest

from sixnd.runner.job import JobFolder
from sixnd.runner.journal import append_event
from sixnd.runner.progress import Progress, clock
from sixnd.specs.record import RunRecord, Validation
from tests.reports.evaluation_build import with_evaluations
from tests.runner import tiny
from tests.runner.test_failure import step


def test_the_time_left_is_told_in_hours_minutes_and_seconds() -> None:
    assert [clock(s) for s in (0.4, 61, 3600, 360_005)] == ["0:00", "1:01", "1:00:00", "100:00:05"]


def test_a_step_line_tells_how_far_how_good_how_fast_and_how_long_still(tmp_path: Path) -> None:
    progress = Progress(JobFolder(tmp_path), tiny.plan(steps=10), live=True)
    progress.recent = [(2.0, tiny.BATCH), (4.0, tiny.BATCH)]
    assert progress.line(step(4)) == (
        "step 4/10  40%  loss 1.0000  grad norm 1.00  lr 1.00e+00  1 tokens/s  MFU 100.0%  0:18 left"
    )


def test_events_are_told_once_and_half_lines_are_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = JobFolder(tmp_path)
    folder.create(tiny.plan(steps=10))
    folder.record_path.touch()
    progress = Progress(folder, tiny.plan(steps=10), live=True)
    rounds = iter([False, False, True])

    def ended() -> bool:
        append_event(folder.record_path, Validation(attempt=1, step=3, loss=2.5, tokens=1))
        return next(rounds)

    progress.follow(ended)
    assert capsys.readouterr().err.count("step 3: validation loss 2.5000") == 3


def test_evaluations_are_told_in_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, plan = JobFolder(tmp_path), tiny.plan(steps=10)
    folder.create(plan)
    folder.record_path.touch()
    validations = [Validation(attempt=1, step=n, loss=2.5, tokens=1) for n in (3, 6)]

    def ended() -> bool:
        for event in with_evaluations(plan, RunRecord(events=validations)).events:
            append_event(folder.record_path, event)
        return True

    Progress(folder, plan, live=True).follow(ended)
    told = capsys.readouterr().err
    assert told.count("step 3: bits per byte: prose ") == 1
    assert told.count("step 6: right: copying 82.0% (76.2% to 87.8%, chance 0.5%), choice 86.5% (") == 1


def test_quiet_is_quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(JobFolder(tmp_path), tiny.plan(), live=False)
    progress.say("something")
    assert capsys.readouterr().err == ""
