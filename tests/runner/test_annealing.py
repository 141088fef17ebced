"""A real run that anneals, killed after the switch of the blend and resumed from before it."""

import threading
from pathlib import Path

import pytest

from sixnd.runner.job import job_folder
from sixnd.runner.launch import run_plan
from sixnd.specs.errors import RunFailedError
from sixnd.specs.plan import Plan
from sixnd.specs.record import Launch, Mix, read_record
from tests.runner import tiny
from tests.runner.annealed import annealed
from tests.runner.conftest import ROOT, sources
from tests.runner.test_resume import kill_rank, losses

STEPS, LAST, EVERY = 10, 4, 3
"""The blend switches with step 7; checkpoints are of steps 3, 6, 9 and 10."""


def plan() -> Plan:
    made = tiny.plan(steps=STEPS, sources=sources(STEPS), checkpoint_every=EVERY, learning_rate=3e-3)
    return annealed(made, [0.25, 0.75], LAST)


def test_a_run_killed_in_annealing_resumes_over_the_switch_to_the_same_losses_and_blend(tmp_path: Path) -> None:
    undisturbed = read_record(run_plan(plan(), runs_dir=tmp_path / "a", base_dir=ROOT, progress=False) / "record.jsonl")
    record_path = job_folder(plan(), tmp_path / "b").record_path
    killer = threading.Thread(target=kill_rank, args=(record_path, 0, STEPS - LAST + 1))
    killer.start()
    with pytest.raises(RunFailedError):
        run_plan(plan(), runs_dir=tmp_path / "b", base_dir=ROOT, progress=False)
    killer.join()
    run_plan(plan(), runs_dir=tmp_path / "b", base_dir=ROOT, progress=False)
    record = read_record(record_path)
    assert record.of(Launch)[-1].resumed_from_step in (STEPS - LAST, STEPS - 1), "mostly before the switch"
    assert losses(record) == losses(undisturbed), "step for step, to the last bit"
    main, annealing = record.last(Mix).phases
    assert main.sequences == {"code": 36, "schemas": 12}
    assert annealing.sequences == {"code": 8, "schemas": 24}
    assert record.last(Mix) == undisturbed.last(Mix)
