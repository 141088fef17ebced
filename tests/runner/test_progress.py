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
    assert [clock(s) for s in (0.4, 61, 3600, 172_799, 360_005)] == ["0:00", "1:01", "1:00:00", "47:59:59", "4.2 d"]


def test_a_step_line_tells_how_far_how_good_how_fast_and_how_long_still(tmp_path: Path) -> None:
    progress = Progress(JobFolder(tmp_path), tiny.plan(steps=10), live=True)
    progress.recent = [(2.0, tiny.BATCH), (4.0, tiny.BATCH)]
    assert progress.line(step(4)) == (
        "step 4/10  40%  loss 1.0000  grad norm 1.00  lr 1.00e+00  1 tokens/s  MFU 100.0%  $0.00 spent  0:18 left"
    )


BIG = step(95_367).model_copy(update={"tokens_per_s": 3_015_000.0, "mfu": 0.47})


def large(tmp_path: Path, price: float) -> Progress:
    plan = tiny.plan(steps=95_400)
    spec = plan.spec.model_copy(
        update={"cluster": plan.spec.cluster.model_copy(update={"price_usd_per_accelerator_hour": price})}
    )
    progress = Progress(JobFolder(tmp_path), plan.model_copy(update={"spec": spec}), live=True)
    progress.recent = [(170_000.0, tiny.BATCH)]
    progress.meter.before_s = 60 * 86400.0
    return progress


@pytest.mark.parametrize("columns", [79, 100, 119, 200])
def test_a_step_line_fits_its_terminal_and_keeps_what_is_asked_for_most(tmp_path: Path, columns: int) -> None:
    line = large(tmp_path, 50_000.0).line(BIG, columns)
    assert len(line) <= columns
    for told in ("step 95,367/95,400", "loss 1.0000", "3.02M tokens/s", "MFU 47.0%", "$72.0M", "64.9 d left"):
        assert told in line
    assert ("grad norm" in line) == (columns > 110)


def test_what_is_spent_is_time_where_an_hour_costs_nothing(tmp_path: Path) -> None:
    assert "60.0 d spent" in large(tmp_path, 0.0).line(BIG)


@pytest.mark.parametrize(("term", "control"), [("xterm", True), ("dumb", False)])
def test_only_a_terminal_that_can_erase_a_line_is_sent_control_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], term: str, control: bool
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    progress = Progress(JobFolder(tmp_path), tiny.plan(steps=10), live=True)
    progress._tell(step(1))
    assert ("\x1b" in (told := capsys.readouterr().err)) == control
    assert "step 1/10" in told


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
