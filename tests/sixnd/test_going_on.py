"""`sixnd run … --resume-from` as a user gives it: real trainings, from one layout to another."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sixnd.specs.checkpoint_events import LayoutChanged
from sixnd.specs.record import End, Launch, RunRecord, read_record
from tests.runner.conftest import ROOT

BEGUN = {
    "version": "budget/1",
    "name": "moved",
    "budget": {"compute": "3.4e9 FLOPs"},
    "cluster": {"accelerators": "1 x cpu-2core"},
    "model": {
        "sequence_length": 32,
        "vocab_size": 512,
        "shape": {"layers": 4, "hidden": 64, "heads": 4, "kv_heads": 2, "ffn": 128},
    },
    "data": {"sources": [{"name": "schemas", "path": "texts/*.txt"}]},
    "training": {"global_batch": "256 tokens"},
    "checkpoints": {"every_steps": 12},
    "supervision": {"budget_factor": None},
}
MOVED = {
    "version": "budget/1",
    "name": "machines-of-now",
    "budget": {"compute": "1e15 FLOPs"},
    "cluster": {"accelerators": "2 x cpu-2core"},
    "data": {"sources": [{"name": "not-read", "path": "*.txt"}]},
    "layout": {"tensor": 2, "data": 1},
    "supervision": {"budget_factor": None},
}


def run(document: dict[str, object], folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`sixnd run` of a spec that lies in ``folder``."""
    folder.mkdir(exist_ok=True)
    (folder / "spec.yaml").write_text(yaml.safe_dump(document))
    command = [sys.executable, "-m", "sixnd.cli", "run", str(folder / "spec.yaml"), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=1500, cwd=folder)


def record_of(runs: Path) -> RunRecord:
    (path,) = runs.glob("*/*/record.jsonl")
    return read_record(path)


@pytest.mark.integration
def test_a_run_goes_on_with_other_machines_to_the_losses_of_one_that_kept_its_own(tmp_path: Path) -> None:
    began, moved = tmp_path / "began", tmp_path / "moved"
    texts = began / "texts"
    texts.mkdir(parents=True)
    for path in (ROOT / "tests" / "texts" / "schemas").glob("*.txt"):
        (texts / path.name).write_bytes(path.read_bytes())

    whole = run(BEGUN, began, "--runs-dir", str(tmp_path / "whole"))
    assert whole.returncode == 0, whole.stderr
    short = {"supervision": {"budget_factor": None, "time_limit": "1 second"}}
    paused = run(BEGUN | short, began, "--runs-dir", str(tmp_path / "runs"))
    assert paused.returncode == 7, paused.stderr
    (folder,) = (tmp_path / "runs").glob("*/*/")
    assert "paused after step 1, with a checkpoint" in paused.stderr
    went_on = run(MOVED, moved, "--resume-from", str(folder))
    assert went_on.returncode == 0, went_on.stderr

    record, expected = record_of(tmp_path / "runs"), record_of(tmp_path / "whole")
    assert [launch.layout.split()[0] for launch in record.of(Launch)] == ["TP1", "TP2"]
    change = record.last(LayoutChanged)
    assert (change.step, change.ranks_before, change.ranks_after) == (1, 1, 2)
    assert record.last(End).status == "finished"
    assert len(record.steps()) > 5
    for step, other in zip(record.steps(), expected.steps(), strict=True):
        measured = (step.loss, step.grad_norm, step.learning_rate)
        assert measured == pytest.approx((other.loss, other.grad_norm, other.learning_rate), rel=1e-5), step.step
    assert not list(moved.glob("runs")), "it stays in the folder that it was in"
