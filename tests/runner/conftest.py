"""Prepared data and short trainings shared by the runner's tests."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sixnd.runner import launch
from sixnd.runner.job import Job, JobFolder, training_command, training_environment
from sixnd.runner.prepare import Prepared, prepare
from sixnd.specs.plan import Plan, PlannedSource
from sixnd.specs.record import RunRecord, read_record
from tests.runner import tiny

ROOT = Path(__file__).resolve().parents[2]
TEXTS = ROOT / "tests" / "texts"
"""What is trained on: see its README."""

Train = Callable[..., tuple[Path, RunRecord]]


def sources(steps: int) -> list[PlannedSource]:
    """Two sources of text, whose paths are relative to this project."""
    tokens = steps * tiny.BATCH * tiny.LENGTH
    shares = {"code": ("tests/texts/code/*.txt", 0.75), "schemas": ("tests/texts/schemas/*.txt", 0.25)}
    return [
        PlannedSource(
            name=name, recipe=None, path=path, weight=share, tokens=share * tokens, unique_tokens=None, epochs=None
        )
        for name, (path, share) in shares.items()
    ]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Prepared]:
    """Data of the tiny plans, prepared once: the folder that holds ``data/`` and what was prepared."""
    root = tmp_path_factory.mktemp("prepared")
    plan = tiny.plan(steps=12, sources=sources(12))
    folder = JobFolder(root)
    folder.create(plan)
    return root, prepare(folder, plan, ROOT, root / "cache", lambda _text: None)


@pytest.fixture
def train(data: tuple[Path, Prepared], tmp_path: Path) -> Train:
    """Train a plan by its launch script to its end; ``start`` is a checkpoint to go on from."""
    root, prepared = data

    def run(plan: Plan, name: str, start: Path | None = None) -> tuple[Path, RunRecord]:
        folder = JobFolder(tmp_path / name)
        folder.create(plan)
        shutil.copytree(root / "data", folder.data_path, dirs_exist_ok=True)
        if start is not None:
            shutil.copytree(start, folder.checkpoints_path / start.name)
        folder.write_job(
            Job(
                processes=plan.layout.world_size,
                threads_per_process=1,
                tokenizer=prepared.tokenizer,
                sources=prepared.sources,
                command=training_command(folder, plan.layout.world_size),
                environment=training_environment(plan, 1),
            )
        )
        result = subprocess.run(["sh", str(folder.path / "launch.sh")], capture_output=True, text=True, timeout=400)
        assert result.returncode == 0, result.stderr[-4000:]
        return folder.path, read_record(folder.record_path)

    return run


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Runs whose model goes wrong in the steps that are named."""

    def command(folder: JobFolder, *rest: object) -> list[str]:
        words = training_command(folder, *rest)
        return ["tests.runner.faulty_worker" if word == "sixnd.runner.worker" else word for word in words]

    def use(fault: str) -> None:
        monkeypatch.setenv("SIXND_TEST_FAULT", fault)
        monkeypatch.setattr(launch, "training_command", command)

    return use
