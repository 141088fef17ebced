"""What the file system refuses while a checkpoint is written leaves nothing behind, and is told."""

import contextlib
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from sixnd.runner.checkpoints import saving
from sixnd.runner.checkpoints.checkpoint import latest_checkpoint, load_checkpoint
from sixnd.runner.checkpoints.keeper import CheckpointKeeper
from sixnd.runner.checkpoints.saving import Moment, UnwrittenError, save_checkpoint
from sixnd.runner.job import JobFolder
from sixnd.runner.trainer import Trainer
from sixnd.specs.checkpoint_events import CheckpointFailed, CheckpointSaved
from sixnd.specs.document import Document
from sixnd.specs.errors import SixndError
from tests.runner import tiny
from tests.runner.alone import one_rank, step, text


class Told:
    """Takes the events that a run would record."""

    def __init__(self) -> None:
        self.events: list[Document] = []

    def write(self, event: Document) -> None:
        self.events.append(event)


@pytest.fixture
def trainer(tmp_path: Path) -> Iterator[Trainer]:
    with one_rank(tmp_path / "meeting"):
        made = Trainer(tiny.plan(tiny.layout(micro_batch=tiny.BATCH)))
        step(made, text(made.plan))  # before its first step an optimizer has nothing to save
        yield made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "run" / "checkpoints"


def save(root: Path, trainer: Trainer, number: int) -> Path:
    moment = Moment(number, attempt=1, fingerprint="abc", layout="TP1 PP1 DP1", validation_loss=None)
    return save_checkpoint(root, moment, trainer.chunks, trainer.optimizer, trainer.scheduler)[0]


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.filterwarnings("ignore:`load_state_dict` is deprecated:FutureWarning")  # PyTorch's, of Megatron
@pytest.mark.parametrize("size", [0, 100_000], ids=["nothing can be written", "what the first rank writes fits"])
def test_a_write_that_fails_leaves_the_checkpoint_before_it_and_nothing_else(
    root: Path, trainer: Trainer, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    before = save(root, trainer, 2)
    if size:
        monkeypatch.setattr(saving, "_BALLAST_BYTES", size)
    with files_of_at_most(size), pytest.raises(UnwrittenError, match="File too large"):
        save(root, trainer, 4)
    assert list(root.iterdir()) == [before]
    assert latest_checkpoint(root, "abc") == (before, 2)
    again = save(root, trainer, 4)
    assert latest_checkpoint(root, "abc") == (again, 4)
    assert load_checkpoint(again, trainer.chunks, trainer.optimizer, trainer.scheduler) == 4


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that holds a part of a tiny checkpoint."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if subprocess.run(mounting, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_is_told_and_one_with_room_again_is_written_to(
    small_disk: Path, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnwrittenError, match="No space left on device"):  # for the reserve
        save(small_disk, trainer, 2)
    monkeypatch.setattr(saving, "_BALLAST_BYTES", 200_000)
    with pytest.raises(UnwrittenError, match="No space left on device"):  # for the shards
        save(small_disk, trainer, 2)
    assert list(small_disk.iterdir()) == []
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    assert save(small_disk, trainer, 2) == small_disk / "step_00000002"


def test_a_folder_that_cannot_be_made_is_named(root: Path, trainer: Trainer) -> None:
    root.parent.mkdir()
    root.write_text("a file where the folder of checkpoints belongs")
    with pytest.raises(UnwrittenError, match=r"Not a directory: .*step_00000002-1\.partial"):
        save(root, trainer, 2)


def test_one_failure_is_an_event_and_the_second_in_a_row_ends_the_run(
    tmp_path: Path, root: Path, trainer: Trainer
) -> None:
    told, plan = Told(), tiny.plan(steps=100)
    keeper = CheckpointKeeper(JobFolder(root.parent), plan, 1, trainer, told)  # type: ignore[arg-type]

    with files_of_at_most(0):
        keeper.save(2)
    keeper.save(4)
    with files_of_at_most(0):
        keeper.save(6)
        with pytest.raises(SixndError, match=r"the checkpoint of step 8 could not be written: .*File too large"):
            keeper.save(8)
    kinds = [(type(event), getattr(event, "ends_run", None)) for event in told.events]
    failed, saved = (CheckpointFailed, False), (CheckpointSaved, None)
    assert kinds == [failed, saved, failed, (CheckpointFailed, True)]


def test_the_last_steps_checkpoint_must_be_written(root: Path, trainer: Trainer) -> None:
    told, plan = Told(), tiny.plan(steps=6)
    keeper = CheckpointKeeper(JobFolder(root.parent), plan, 1, trainer, told)  # type: ignore[arg-type]
    with files_of_at_most(0), pytest.raises(SixndError, match="the checkpoint of step 6 could not be written"):
        keeper.save(6)


def test_the_best_by_validation_loss_are_kept(root: Path, trainer: Trainer) -> None:
    plan = tiny.plan(steps=100)
    policy = plan.checkpoints.model_copy(update={"keep_last": 1, "keep_best": 1})
    plan = plan.model_copy(update={"checkpoints": policy})
    keeper = CheckpointKeeper(JobFolder(root.parent), plan, 1, trainer, None)
    for number, loss in ((2, 3.0), (4, 1.0), (6, 2.0)):
        assert keeper.needs_loss(number)
        keeper.validated(number, loss)
        keeper.save(number)
    assert sorted(path.name for path in root.iterdir()) == ["step_00000004", "step_00000006"]


def test_training_draws_no_random_number_that_a_checkpoint_would_have_to_keep(trainer: Trainer) -> None:
    before = torch.get_rng_state()
    step(trainer, text(trainer.plan))
    assert torch.equal(torch.get_rng_state(), before)
