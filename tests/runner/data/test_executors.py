import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sixnd.runner.data.executors import run_local
from sixnd.runner.data.work import Step
from sixnd.specs.errors import SixndError
from tests.runner.data import counting_tasks

ROOT = Path(__file__).resolve().parents[3]
SLEEPERS = """
from pathlib import Path
import sys
from sixnd.runner.data.executors import run_local
from sixnd.runner.data.work import Step
from tests.runner.data import counting_tasks

if __name__ == "__main__":
    run_local(Path(sys.argv[1]), Step("sleep", 3), workers=2, act=counting_tasks.sleep)
"""


def outputs(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.name != "calls"}


def calls(folder: Path) -> list[str]:
    return sorted((folder / "calls").read_text().splitlines())


@pytest.mark.parametrize("workers", [1, 3])
def test_every_task_of_a_step_runs_once_and_is_told_whatever_the_number_of_workers(tmp_path, workers):
    told = []
    step = Step("clean", 4, first=2)
    run_local(tmp_path, step, workers=workers, progress=lambda *now: told.append(now), act=counting_tasks.write)
    assert outputs(tmp_path) == {f"clean-{task}": f"output of {task}" for task in range(2, 6)}
    assert calls(tmp_path) == [f"clean {task} 1" for task in range(2, 6)]
    assert [now[:3] for now in told] == [("clean", done, 4) for done in range(5)]
    seconds = [now[3] for now in told]
    assert seconds == sorted(seconds)
    assert seconds[-1] > 0


def test_workers_that_a_step_has_no_tasks_for_help_those_it_has(tmp_path):
    run_local(tmp_path, Step("alone", 1), workers=4, act=counting_tasks.write)
    run_local(tmp_path, Step("two", 2), workers=4, act=counting_tasks.write)
    assert calls(tmp_path) == ["alone 0 4", "two 0 2", "two 1 2"]


@pytest.mark.parametrize(
    ("kind", "workers", "sentence"),
    [
        ("sentence", 1, "^the input is not to be had; get it$"),
        ("document", 2, "^spec.yaml:1:1: no such source; name one that is there$"),
        ("disk", 2, "^step clean, task 1: .*: no space left on device; mend that, and run the same command again"),
        ("memory", 1, "^step clean, task 1: memory ran out; take fewer workers"),
    ],
)
def test_what_a_user_can_mend_is_told_as_a_sentence_by_any_process(tmp_path, kind, workers, sentence):
    (tmp_path / "refused").write_text(f"1 {kind}")
    with pytest.raises(SixndError, match=sentence):
        run_local(tmp_path, Step("clean", 2), workers=workers, act=counting_tasks.write_unless_refused)


def test_a_defect_keeps_its_kind_and_says_in_which_task_it_was(tmp_path):
    (tmp_path / "refused").write_text("1 defect")
    with pytest.raises(ZeroDivisionError) as told:
        run_local(tmp_path, Step("clean", 2), workers=2, act=counting_tasks.write_unless_refused)
    assert told.value.__notes__ == [f"in step clean, task 1, of {tmp_path}"]


def test_after_a_failure_what_was_finished_stays_and_only_the_rest_runs_again(tmp_path):
    (tmp_path / "refused").write_text("2 sentence")
    with pytest.raises(SixndError):
        run_local(tmp_path, Step("clean", 4), act=counting_tasks.write_unless_refused)
    before = (tmp_path / "clean-0").stat()
    run_local(tmp_path, Step("clean", 4), act=counting_tasks.write)
    assert {f"clean-{task}" for task in range(4)} <= set(outputs(tmp_path))
    assert (tmp_path / "clean-0").stat() == before


def test_a_killed_worker_is_told_as_such_with_what_to_do(tmp_path):
    with pytest.raises(SixndError, match=r"step clean: a worker process was killed.*memory.*same command again"):
        run_local(tmp_path, Step("clean", 2), workers=2, act=counting_tasks.be_killed)


def sleeping(folder: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """A command with two workers at work, and their process numbers."""
    script = folder / "script.py"
    script.write_text(SLEEPERS)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, script, folder], env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    files = [folder / f"sleep-{task}.pid" for task in range(2)]
    wait_for(lambda: all(file.exists() and file.read_text() for file in files))
    return process, [int(file.read_text()) for file in files]


def wait_for(what, patience_s=20.0):
    given_up = time.monotonic() + patience_s
    while not what():
        assert time.monotonic() < given_up
        time.sleep(0.05)


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_ctrl_c_ends_every_process_at_once(tmp_path):
    process, workers = sleeping(tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGINT or "KeyboardInterrupt" in told
    wait_for(lambda: not any(map(is_alive, workers)))
    assert not (tmp_path / "sleep-2.pid").exists()


def test_no_worker_outlives_a_command_that_was_killed(tmp_path):
    process, workers = sleeping(tmp_path)
    process.kill()
    process.communicate(timeout=20)
    wait_for(lambda: not any(map(is_alive, workers)))
