"""`sixnd note`: dated lines in a run's log, beside a record that the run may be writing meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sixnd.cli import main
from sixnd.reporting import read_run
from sixnd.reports.run_log import run_log
from sixnd.specs.notes import Note, append_note
from sixnd.specs.record import event_line
from sixnd.specs.run_events import Alarm
from tests.reports.build import resumed_run, small_plan


@pytest.fixture
def folder(tmp_path) -> Path:
    plan = small_plan()
    (tmp_path / "plan.yaml").write_text(plan.to_yaml(), "utf-8")
    (tmp_path / "record.jsonl").write_text("".join(map(event_line, resumed_run(plan).events)), "utf-8")
    return tmp_path


def test_a_note_stands_in_the_report_with_the_step_that_was_reached(folder, capsys):
    record = (folder / "record.jsonl").read_bytes()
    assert main(["note", str(folder), "learning rate looks high"]) == 0
    assert "noted at step 400" in capsys.readouterr().err
    assert (folder / "record.jsonl").read_bytes() == record
    for suffix in ("md", "html", "json"):
        assert main(["report", str(folder), "-o", str(folder / f"report.{suffix}")]) == 0
        assert "learning rate looks high" in (folder / f"report.{suffix}").read_text("utf-8")
    capsys.readouterr()
    assert main(["report", str(folder), "--width", "100"]) == 0
    assert "learning rate looks high" in capsys.readouterr().out


def test_notes_find_their_place_between_what_happened(folder):
    alarm = Alarm(attempt=1, step=90, rule="loss-spike", value=9.0, threshold=5.0, action="warn", message="high")
    lines = (folder / "record.jsonl").read_text("utf-8").splitlines(keepends=True)
    place = next(i for i, line in enumerate(lines) if '"step": 91,' in line)
    (folder / "record.jsonl").write_text("".join([*lines[:place], event_line(alarm), *lines[place:]]), "utf-8")
    for step, attempt, text in ((300, 2, "third"), (100, 1, "second"), (80, 1, "first")):
        append_note(folder, Note(time="2026-05-04T08:01:00+00:00", attempt=attempt, step=step, text=text))
    log = run_log(read_run(folder)[1])
    assert [entry.text if entry.what == "note" else entry.what for entry in log] == [
        "started",
        "first",
        "alarm, warn",
        "second",
        "failed",
        "started",
        "third",
        "finished",
    ]
    assert log[1].time == "2026-05-04 08:01:00 UTC"


def test_notes_that_are_written_at_once_are_all_kept(folder):
    def write(number: int) -> None:
        append_note(folder, Note(time="2026-05-04T08:01:00+00:00", attempt=1, step=number, text=f"{number} " * 200))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(200)))
    _, record = read_run(folder)
    assert sorted(note.step for note in record.of(Note)) == list(range(200))


def test_hostile_text_stays_text(folder, capsys):
    text = "<script>alert(1)</script> `x` | \x1b[31m\nnew line"
    assert main(["note", str(folder), text]) == 0
    assert main(["report", str(folder), "-o", str(folder / "report.html")]) == 0
    assert "<script>alert(1)" not in (folder / "report.html").read_text("utf-8")
    capsys.readouterr()
    assert main(["report", str(folder)]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_an_empty_note_and_a_folder_without_a_run_are_refused(folder, tmp_path_factory, capsys):
    assert main(["note", str(folder), "  "]) == 2
    assert main(["note", str(tmp_path_factory.mktemp("none")), "x"]) == 3
    assert "holds no run" in capsys.readouterr().err
