"""One run goes on with other layouts and numbers of ranks, to the losses of one that kept its own."""

import shutil
import threading
from pathlib import Path

import pytest

from sixnd.runner.job import job_folder
from sixnd.runner.launch import run_plan
from sixnd.runner.prepare import Prepared
from sixnd.specs.checkpoint_events import CheckpointSkipped, LayoutChanged
from sixnd.specs.errors import RunFailedError
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord, read_record
from tests.runner import tiny
from tests.runner.checkpoints.damage import flip
from tests.runner.conftest import ROOT, Train, sources
from tests.runner.test_resume import kill_rank

STEPS, EVERY = 12, 4
LAYOUTS = [tiny.layout(), tiny.layout(tensor=2, pipeline=2, data=2), tiny.layout(data=2, micro_batch=2)]
KILLED_AFTER = [5, 9]


def plan(number: int, seed: int = 1234) -> Plan:
    made = tiny.plan(LAYOUTS[number], steps=STEPS, sources=sources(STEPS), checkpoint_every=EVERY, seed=seed)
    assert made.fingerprint() == tiny.plan(steps=STEPS, sources=sources(STEPS), seed=seed).fingerprint()
    return made


def curve(record: RunRecord, attempt: int | None = None) -> dict[int, tuple[float, float, float]]:
    steps = record.steps() if attempt is None else [s for s in record.events if getattr(s, "attempt", 0) == attempt]
    return {s.step: (s.loss, s.grad_norm, s.learning_rate) for s in steps if hasattr(s, "grad_norm")}


def run(number: int, runs: Path, killed_after: int | None = None) -> RunRecord:
    """Run a plan in a folder whose data is prepared; return what its record holds."""
    folder = job_folder(plan(number), runs)
    if killed_after is None:
        return read_record(run_plan(plan(number), runs_dir=runs, base_dir=ROOT, progress=False) / "record.jsonl")
    killer = threading.Thread(target=kill_rank, args=(folder.record_path, 0, killed_after))
    killer.start()
    with pytest.raises(RunFailedError):
        run_plan(plan(number), runs_dir=runs, base_dir=ROOT, progress=False)
    killer.join()
    return read_record(folder.record_path)


@pytest.mark.integration
def test_a_run_goes_from_one_rank_to_eight_to_two_with_the_losses_of_one(
    data: tuple[Path, Prepared], train: Train, tmp_path: Path
) -> None:
    _, undisturbed = train(plan(0), "undisturbed")
    expected = curve(undisturbed)
    assert sorted(expected) == list(range(1, STEPS + 1))

    runs = tmp_path / "runs"
    shutil.copytree(data[0] / "data", job_folder(plan(0), runs).data_path)
    alone = curve(run(0, runs, KILLED_AFTER[0]), attempt=1)
    assert alone == {step: expected[step] for step in alone}, "two runs of one plan are the same to the last bit"
    run(1, runs, KILLED_AFTER[1])
    record = run(2, runs)

    for step, values in curve(record).items():
        assert values == pytest.approx(expected[step], rel=1e-5), f"step {step}"
    changes = [(event.attempt, event.step, event.ranks_before, event.ranks_after) for event in record.of(LayoutChanged)]
    assert changes == [(2, EVERY, 1, 8), (3, 2 * EVERY, 8, 2)]
    folder = job_folder(plan(0), runs)
    assert folder.plan().layout == LAYOUTS[2]
    assert {path.name for path in folder.path.glob("plan-of-*")} == {
        "plan-of-attempt-1.yaml",
        "plan-of-attempt-2.yaml",
    }

    _, other = train(plan(0, seed=4321).model_copy(update={"checkpoints": plan(0).checkpoints}), "another seed")
    assert not set(curve(other).values()) & set(expected.values())


@pytest.mark.integration
def test_ranks_that_find_the_newest_checkpoint_damaged_go_on_from_the_one_before_it(
    train: Train, tmp_path: Path
) -> None:
    made = tiny.plan(tiny.layout(data=2), steps=6, sources=sources(STEPS), checkpoint_every=2, keep_last=9)
    path, whole = train(made, "whole")
    copies = tmp_path / "damaged" / "checkpoints"
    for step in (2, 4):
        shutil.copytree(path / "checkpoints" / f"step_{step:08}", copies / f"step_{step:08}")
    flip(copies / "step_00000004" / "__0_0.distcp", 5000)  # a file that the second rank reads
    _, record = train(made, "damaged")
    skipped = record.last(CheckpointSkipped)
    assert (skipped.step, skipped.reason.split()[0]) == (4, "__0_0.distcp")
    assert curve(record) == {step: values for step, values in curve(whole).items() if step > 2}
    assert not list(copies.glob("*.damaged")), "step 4 was saved again"
