import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sixnd.runner.job import Job, JobFolder, job_folder, training_command, training_environment
from sixnd.specs.files import replaced_atomically
from tests.runner import tiny


def test_a_plan_is_written_and_read_back_equal(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / "run")
    folder.create(tiny.plan())
    assert folder.plan() == tiny.plan()


def test_the_folder_depends_on_what_changes_the_model_and_not_on_the_layout(tmp_path: Path) -> None:
    one = job_folder(tiny.plan(), tmp_path).path
    assert job_folder(tiny.plan(tiny.layout(tensor=2)), tmp_path).path == one
    assert job_folder(tiny.plan(seed=5), tmp_path).path != one


def test_the_launch_script_quotes_every_word(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / "a $(touch pwned) 'folder'")
    folder.create(tiny.plan())
    command = training_command(folder, 2)
    environment = training_environment(tiny.plan(), 1) | {"ODD": "a b; rm -rf /"}
    job = Job(processes=2, threads_per_process=1, tokenizer="t", sources=[], command=command, environment=environment)
    folder.write_job(job)
    assert folder.job() == job
    script = (folder.path / "launch.sh").read_text()
    assert shlex.split(script.splitlines()[-1]) == ["exec", *command]
    assert "export ODD='a b; rm -rf /'" in script
    assert os.access(folder.path / "launch.sh", os.X_OK)


def test_modules_in_the_folder_that_a_run_is_started_from_are_not_taken_for_libraries(tmp_path: Path) -> None:
    environment = os.environ | training_environment(tiny.plan(), 1)
    look = [sys.executable, "-m", "site"]
    searched = subprocess.run(look, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in searched


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def write_half() -> None:
        with replaced_atomically(path) as temporary:
            temporary.write_text("ne")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write_half()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
