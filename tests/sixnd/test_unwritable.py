"""What cannot be written, or read, is told by its name with a next step, and exit code 3: never by a traceback."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sixnd.cli import main
from sixnd.specs.record import event_line
from tests.reports.build import resumed_run, small_plan
from tests.specs.example import SPEC

Words = Callable[[Path, Path], list[str]]

WRITERS: dict[str, Words] = {
    "plan": lambda room, output: ["plan", str(room / "spec.yaml"), "-o", str(output)],
    "report.md": lambda room, output: ["report", str(room / "run"), "-o", f"{output}.md"],
    "report.json": lambda room, output: ["report", str(room / "plan.yaml"), "-o", f"{output}.json"],
    "sweep": lambda room, output: ["sweep", str(room / "spec.yaml"), "training.seed=1,2", "-o", f"{output}.csv"],
    "init": lambda _, output: [
        *["init", str(output), "--budget", "1 day", "--cluster", "8 x h100-sxm", "--data", "*.txt"],
    ],
}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spec, a plan and a run."""
    folder, plan = tmp_path_factory.mktemp("room"), small_plan(steps=3)
    (folder / "run").mkdir()
    (folder / "spec.yaml").write_text(SPEC)
    for file in (folder / "plan.yaml", folder / "run" / "plan.yaml"):
        file.write_text(plan.to_yaml())
    (folder / "run" / "record.jsonl").write_text("".join(map(event_line, resumed_run(plan).events)))
    return folder


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The last line of what a command says that ends with exit code 3."""
    assert main(words) == 3
    err = capsys.readouterr().err
    assert "Traceback" not in err
    return err.splitlines()[-1]


@pytest.mark.parametrize("writer", WRITERS)
def test_a_folder_that_is_not_there_is_named(room, tmp_path, capsys, writer):
    said = told(WRITERS[writer](room, tmp_path / "nowhere" / "out"), capsys)
    assert f"{tmp_path / 'nowhere'}: there is no such folder; name one that is there, or make it" in said


@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_in_place_of_the_folder_is_told(room, tmp_path, capsys, writer):
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file") in told(WRITERS[writer](room, tmp_path / "file" / "out"), capsys)


@pytest.mark.parametrize(
    ("number", "do"),
    [
        (errno.ENOSPC, "make room on its disk"),
        (errno.EDQUOT, "this user's share"),
        (errno.EACCES, "let this user do that"),
        (errno.EROFS, "name another place"),
        (errno.EIO, "mounted and sound"),
    ],
)
@pytest.mark.parametrize("writer", WRITERS)
def test_a_disk_that_takes_nothing_is_told_with_the_file_s_name(
    room, tmp_path, monkeypatch, capsys, writer, number, do
):
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))  # as `write` fails: without a name

    monkeypatch.setattr(Path, "write_bytes", fail)
    said = told(WRITERS[writer](room, tmp_path / "out"), capsys)
    assert said.startswith(f"sixnd: {tmp_path / 'out'}")
    assert f": {os.strerror(number)}; " in said
    assert do in said
    assert not list(tmp_path.iterdir()), "nothing half-written is left"


@pytest.mark.parametrize("writer", ["plan", "report.md"])
def test_a_folder_in_place_of_the_file_is_told(room, tmp_path, capsys, writer):
    words = WRITERS[writer](room, tmp_path / "out")
    output = next(word for word in words if word.startswith(str(tmp_path)))
    Path(output).mkdir()
    assert output in told(words, capsys)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("writer", WRITERS)
def test_a_folder_for_reading_alone_is_told(room, tmp_path, capsys, writer):
    (tmp_path / "closed").mkdir(mode=0o500)
    assert "let this user do that" in told(WRITERS[writer](room, tmp_path / "closed" / "out"), capsys)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_note_that_cannot_be_written_is_told(room, monkeypatch, capsys, number):
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("sixnd.specs.notes.os.write", fail)
    said = told(["note", str(room / "run"), "a remark"], capsys)
    assert said.startswith(f"sixnd: {room / 'run' / 'notes.jsonl'}: {os.strerror(number)}; ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_behind_standard_output_is_told_once(room):
    with Path("/dev/full").open("wb") as full:
        words = [sys.executable, "-m", "sixnd.cli", "plan", str(room / "spec.yaml"), "--json"]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert done.returncode == 3
    assert done.stderr == "sixnd: No space left on device; make room on its disk, or name another place\n"


def test_a_folder_above_runs_is_told_with_the_run_in_it(room, capsys):
    assert f"did you mean {room / 'run'}?" in told(["status", str(room)], capsys)
