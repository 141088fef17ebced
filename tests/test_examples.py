"""The shipped examples, run as a user runs them: real text, real training, minutes each."""

import subprocess
import sys
from pathlib import Path

import pytest

from sixnd.specs.load import load_plan
from sixnd.specs.plan import Plan
from sixnd.specs.record import DataPrepared, End, Mix, RunRecord, Sample, read_record

EXAMPLES = Path(__file__).resolve().parents[1] / "specs" / "examples"

pytestmark = pytest.mark.integration


def run(example: str, runs_dir: Path) -> tuple[Path, Plan, RunRecord]:
    """`sixnd run` of an example in a fresh folder; returns the run folder and its documents."""
    command = [sys.executable, "-m", "sixnd.cli", "run", str(EXAMPLES / example), "--runs-dir", str(runs_dir)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=1500)
    assert result.returncode == 0, result.stderr[-4000:]
    (folder,) = runs_dir.glob("*/*/")
    return folder, load_plan(folder / "plan.yaml"), read_record(folder / "record.jsonl")


def test_the_quickstart_learns_real_text_and_reports_it(tmp_path: Path) -> None:
    folder, plan, record = run("quickstart.yaml", tmp_path)
    assert record.last(End).status == "finished"
    assert [step.step for step in record.steps()] == list(range(1, plan.training.steps + 1))
    unigram = record.last(DataPrepared).unigram_loss
    assert record.validations()[-1].loss < unigram - 1.0, "beats token frequencies by more than a nat"

    sequences = record.last(Mix).sequences
    for source in plan.data.sources:
        realised = sequences[source.name] / sum(sequences.values())
        assert realised == pytest.approx(source.weight, abs=1e-3), source.name

    page = (folder / "report.html").read_text("utf-8")
    samples = record.of(Sample)
    assert {sample.source for sample in samples} == {source.name for source in plan.data.sources}
    assert all(sample.continuation.strip() for sample in samples)
    assert "Samples" in page


def test_eight_processes_train_as_tp2_pp2_dp2_with_sequence_parallelism(tmp_path: Path) -> None:
    _, plan, record = run("parallel-3d.yaml", tmp_path)
    layout = plan.layout
    assert (layout.tensor, layout.pipeline, layout.data) == (2, 2, 2)
    assert layout.sequence_parallel
    assert layout.distributed_optimizer
    steps = record.steps()
    assert steps[-1].step == plan.training.steps
    first, last = steps[:5], steps[-5:]
    assert sum(s.loss for s in last) / 5 < sum(s.loss for s in first) / 5 - 0.5
