"""Runs as jobs of a real Slurm of one node, where `slurm-wlm` is installed: killed, announced, requeued, resumed."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sixnd.cli import main
from sixnd.runner.job import JobFolder, job_folder
from sixnd.runner.launch import run_plan
from sixnd.specs.plan import Plan
from sixnd.specs.record import End, Launch, RunRecord, Step, read_record
from sixnd.specs.run_events import Paused
from tests.runner import tiny
from tests.runner.cluster import launched, written
from tests.runner.conftest import ROOT, sources
from tests.slurm import needs_slurm, one_node

pytestmark = [needs_slurm, pytest.mark.integration]
STEPS, EVERY = 60, 5
_PATIENCE_S = 300


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, one_node(tmp_path_factory.mktemp("slurm")) as environment:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield


def plan(**settings: object) -> Plan:
    """3D as far as two cores bear it: four processes, TP2 and PP2."""
    made = tiny.plan(tiny.layout(tensor=2, pipeline=2), steps=STEPS, sources=sources(STEPS), checkpoint_every=EVERY)
    return launched(made, partition="main", cpus_per_node=2, **settings)


def submit(made: Plan, where: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, JobFolder]:
    runs = where / "runs of $HOME 100%A 'x'"
    file = written(made, where / "plan.yaml")
    capsys.readouterr()
    assert main(["run", str(file), "--launcher", "slurm", "--runs-dir", str(runs), "--base-dir", str(ROOT)]) == 0
    return capsys.readouterr().out.strip(), job_folder(made, runs)


def record(folder: JobFolder) -> RunRecord:
    return read_record(folder.record_path) if folder.record_path.exists() else RunRecord(events=[])


def wait_until(true: Callable[[], object], what: str, folder: JobFolder) -> None:
    given_up = time.monotonic() + _PATIENCE_S
    while not true():
        if time.monotonic() > given_up:
            logs = "\n".join(path.read_text(errors="replace")[-3000:] for path in folder.logs_path.glob("*"))
            raise AssertionError(f"waited in vain until {what}\n{jobs()}\n{logs}")
        time.sleep(0.2)


def jobs() -> str:
    return subprocess.run(["squeue", "-h", "-o", "%i %T"], capture_output=True, text=True, check=True).stdout


def reached(folder: JobFolder, step: int) -> Callable[[], bool]:
    return lambda: any(one.step >= step for one in record(folder).of(Step))


def finished(folder: JobFolder) -> bool:
    last = record(folder).last(End)
    return last is not None and last.status == "finished"


def ranks(folder: JobFolder) -> list[psutil.Process]:
    """The training processes of a run, wherever they were started from."""
    own = [one for one in psutil.process_iter(["cmdline"]) if str(folder.path) in (one.info["cmdline"] or [])]
    return [one for one in own if "RANK" in one.environ()]


def test_a_job_that_is_killed_and_announced_is_requeued_and_ends_with_the_undisturbed_losses(slurm, tmp_path, capsys):
    expected = run_plan(plan(), runs_dir=tmp_path / "undisturbed", base_dir=ROOT, progress=False)
    job, folder = submit(plan(), tmp_path, capsys)

    wait_until(reached(folder, EVERY + 2), "a checkpoint is past", folder)
    os.kill(ranks(folder)[0].pid, signal.SIGKILL)
    wait_until(lambda: len(record(folder).of(Launch)) == 2, "the killed run is launched again", folder)

    wait_until(reached(folder, 2 * EVERY + 2), "it is further", folder)
    subprocess.run(["scancel", "--batch", "--signal=USR1", job], check=True)
    wait_until(lambda: len(record(folder).of(Launch)) == 3, "the run whose end was announced is launched again", folder)
    wait_until(lambda: finished(folder), "the run is finished", folder)
    wait_until(lambda: not jobs(), "the job has left the queue", folder)

    told = record(folder)
    assert [pause.reason for pause in told.of(Paused)] == ["Slurm announced the end of its job"]
    assert [end.status for end in told.of(End)] == ["failed", "paused", "finished"]
    assert told.of(Launch)[2].resumed_from_step == told.of(Paused)[0].step, "nothing was lost"
    of_step = {step.step: step.loss for step in read_record(expected / "record.jsonl").steps()}
    assert {step.step: step.loss for step in told.steps()} == of_step
    log = (folder.logs_path / f"slurm-{job}.out").read_text()
    assert log.count("queued again") == 2


def test_a_cancelled_job_is_not_queued_again(slurm, tmp_path, capsys):
    job, folder = submit(plan(), tmp_path, capsys)
    wait_until(reached(folder, EVERY + 2), "a checkpoint is past", folder)
    subprocess.run(["scancel", job], check=True)
    wait_until(lambda: not jobs(), "the job has left the queue", folder)
    time.sleep(3)
    assert not jobs()
    assert not finished(folder)
