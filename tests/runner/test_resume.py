"""A rank is killed after the blend switched: the run says so, and goes on from before the switch to equal numbers."""

import os
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest

from sixnd.runner.job import job_folder
from sixnd.runner.launch import run_plan
from sixnd.specs.errors import RunFailedError
from sixnd.specs.plan import Plan
from sixnd.specs.record import End, Launch, Mix, RunRecord, Sample, Step, read_record
from tests.runner import tiny
from tests.runner.annealed import annealed
from tests.runner.conftest import ROOT, sources

STEPS, EVERY, SWITCH = 12, 4, 6
"""``SWITCH`` is the first step of annealing."""


def plan() -> Plan:
    ranks = tiny.layout(data=2)
    made = tiny.plan(ranks, steps=STEPS, sources=sources(STEPS), checkpoint_every=EVERY, learning_rate=3e-3)
    return annealed(made, [0.25, 0.75], STEPS - SWITCH + 1)


def kill_rank(record_path: Path, rank: int, after_step: int) -> None:
    """SIGKILL the process of one rank as soon as the record holds ``after_step``."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if record_path.exists() and any(s.step >= after_step for s in read_record(record_path).of(Step)):
            for process in psutil.Process().children(recursive=True):
                if process.environ().get("RANK") == str(rank):
                    os.kill(process.pid, signal.SIGKILL)
                    return
        time.sleep(0.02)
    raise AssertionError("the run never got so far")


def losses(record: RunRecord) -> list[tuple[int, float, float]]:
    return [(s.step, s.loss, s.grad_norm) for s in record.steps()]


def test_a_killed_run_says_so_and_resumes_to_the_losses_of_an_undisturbed_run(tmp_path: Path) -> None:
    undisturbed = run_plan(plan(), runs_dir=tmp_path / "undisturbed", base_dir=ROOT, progress=False)
    expected = losses(read_record(undisturbed / "record.jsonl"))
    assert [step for step, *_ in expected] == list(range(1, STEPS + 1))

    record_path = job_folder(plan(), tmp_path / "killed").record_path
    killer = threading.Thread(target=kill_rank, args=(record_path, 1, SWITCH))
    killer.start()
    with pytest.raises(RunFailedError) as failure:
        run_plan(plan(), runs_dir=tmp_path / "killed", base_dir=ROOT, progress=False)
    killer.join()
    assert "rank 1 was killed by SIGKILL" in str(failure.value)
    assert f"last complete checkpoint is step {EVERY}" in str(failure.value)
    assert read_record(record_path).last(End).status == "failed"

    again = run_plan(plan(), runs_dir=tmp_path / "killed", base_dir=ROOT, progress=False)
    record = read_record(again / "record.jsonl")
    assert [launch.resumed_from_step for launch in record.of(Launch)] == [0, EVERY]
    assert losses(record) == expected, "step for step, to the last bit"
    first_attempt = {s.step: s.loss for s in record.of(Step) if s.attempt == 1}
    repeated = [s for s in record.of(Step) if s.attempt == 2 and s.step in first_attempt]
    assert repeated, "the steps after the checkpoint were done again"
    assert all(s.loss == first_attempt[s.step] for s in repeated)
    assert record.last(End).status == "finished"
    drawn = {phase.name: phase.sequences for phase in record.last(Mix).phases}
    assert drawn == {"main": {"code": 30, "schemas": 10}, "annealing": {"code": 14, "schemas": 42}}
    assert {sample.source for sample in record.of(Sample)} == {"code", "schemas"}

    lines = len(record.events)
    run_plan(plan(), runs_dir=tmp_path / "killed", base_dir=ROOT, progress=False)
    assert len(read_record(record_path).events) == lines, "a finished run is not trained again"
