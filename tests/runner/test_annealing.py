"""A real training that anneals, killed after the switch of the blend and resumed from before it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from sixnd.runner.job import Job, JobFolder, training_environment
from sixnd.runner.prepare import prepare
from sixnd.specs.plan import Plan
from sixnd.specs.record import CheckpointSaved, Mix, RunRecord, Step, read_record
from tests.runner import tiny
from tests.runner.annealed import annealed
from tests.runner.conftest import ROOT, sources
from tests.runner.test_resume import losses

STEPS, LAST, EVERY = 40, 34, 6
"""The blend switches with step 7; the first checkpoint is of the step before it."""


def plan() -> Plan:
    made = tiny.plan(steps=STEPS, sources=sources(STEPS), checkpoint_every=EVERY, learning_rate=3e-3)
    return annealed(made, [0.25, 0.75], LAST)


def prepared(root: Path) -> JobFolder:
    folder = JobFolder(root)
    folder.create(plan())
    data = prepare(folder, plan(), ROOT, root / "cache", lambda _text: None)
    settings = {"processes": 1, "threads_per_process": 1, "command": [], "environment": {}}
    folder.write_job(Job(tokenizer=data.tokenizer, sources=data.sources, **settings))
    return folder


def start(folder: JobFolder, attempt: int) -> subprocess.Popen[bytes]:
    """The one rank of the job, without a launcher."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    alone = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": f"{port}"}
    environment = os.environ | training_environment(plan(), 1) | alone | {"SIXND_ATTEMPT": str(attempt)}
    return subprocess.Popen([sys.executable, "-m", "sixnd.runner.worker", str(folder.path)], env=environment)


def trained(folder: JobFolder, attempt: int) -> RunRecord:
    assert start(folder, attempt).wait(300) == 0
    return read_record(folder.record_path)


def kill_after(folder: JobFolder, process: subprocess.Popen[bytes], step: int) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        if folder.record_path.exists() and any(s.step >= step for s in read_record(folder.record_path).of(Step)):
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL, "it was still training"


def test_a_run_killed_in_annealing_resumes_over_the_switch_to_the_same_losses_and_blend(tmp_path: Path) -> None:
    shutil.copytree(prepared(tmp_path / "whole").path, tmp_path / "killed")
    undisturbed, folder = trained(JobFolder(tmp_path / "whole"), 1), JobFolder(tmp_path / "killed")
    kill_after(folder, start(folder, 1), STEPS - LAST + 2)
    cut = read_record(folder.record_path)
    assert cut.steps()[-1].step < STEPS
    assert cut.of(CheckpointSaved), "there is something to resume from"
    record = trained(folder, 2)
    assert next(step.step for step in record.of(Step) if step.attempt == 2) == cut.of(CheckpointSaved)[-1].step + 1
    assert losses(record) == losses(undisturbed), "step for step, to the last bit"
    assert record.last(Mix) == undisturbed.last(Mix)
    main, annealing = record.last(Mix).phases
    assert main.sequences == {"code": 36, "schemas": 12}
    assert annealing.sequences == {"code": 68, "schemas": 204}
