"""Faults of files and disks."""

import os
import shutil
from pathlib import Path

from sixnd.runner.checkpoints.files import checkpoint_folders
from sixnd.runner.supervision.heartbeat import FOLDER
from sixnd.specs.checkpoint_events import CheckpointFailed, CheckpointSaved
from tests.runner.checkpoints.damage import flip
from tests.soak.disk import SmallDisk
from tests.soak.fault import Fault
from tests.soak.run import Run


def disk_full_once(run: Run, disk: SmallDisk) -> None:
    first, failed, saved = run.ranks()[0], _count(run, CheckpointFailed), _count(run, CheckpointSaved)
    disk.fill(first)
    run.wait("a checkpoint failed", lambda record: len(record.of(CheckpointFailed)) > failed)
    disk.empty(first)
    run.wait("one was saved", lambda record: len(record.of(CheckpointSaved)) > saved)


def disk_full(run: Run, disk: SmallDisk) -> None:
    disk.fill(run.ranks()[0])
    assert "could not be written" in run.ended(6)
    disk.empty(None)


def disk_full_when_asked(run: Run, disk: SmallDisk) -> None:
    saved = _count(run, CheckpointSaved)
    run.wait("a checkpoint was saved", lambda record: len(record.of(CheckpointSaved)) > saved)
    first = run.ranks()[0]
    disk.fill(first)
    first.terminate()
    assert "without a checkpoint" in run.ended(7)
    disk.empty(None)


def _count(run: Run, kind: type) -> int:
    return len(run.record().of(kind))


def checkpoint_torn(run: Run, _disk: SmallDisk) -> None:
    run.asked()
    newest = checkpoint_folders(run.folder.checkpoints_path)[0]
    shard = newest / "__0_1.distcp"
    os.truncate(shard, shard.stat().st_size // 2)
    shutil.copytree(newest, newest.with_name(f"{newest.name}-99.partial"))


def checkpoint_bit(run: Run, _disk: SmallDisk) -> None:
    run.asked()
    shard = checkpoint_folders(run.folder.checkpoints_path)[0] / "__0_0.distcp"
    flip(shard, shard.stat().st_size // 3, 5)


def data_bit(run: Run, _disk: SmallDisk) -> None:
    run.asked()
    flip(_only(run, "code-train-*.bin"), 12_345, 2)


def data_cut(run: Run, _disk: SmallDisk) -> None:
    run.asked()
    for path in (_only(run, "schemas-train-*.bin"), *run.folder.data_path.glob("work/schemas/tokens-*/*.bin")):
        os.truncate(path, path.stat().st_size // 2)


def index_torn(run: Run, _disk: SmallDisk) -> None:
    run.asked()
    path = max(run.folder.data_path.glob("index/*-shuffle_index.npy"), key=lambda path: path.stat().st_size)
    flip(path, path.stat().st_size - 3, 0)
    other = max(run.folder.data_path.glob("index/*-dataset_index.npy"), key=lambda path: path.stat().st_size)
    os.truncate(other, 100)


def heartbeats_removed(run: Run, _disk: SmallDisk) -> None:
    folder = run.folder.path / FOLDER
    shutil.rmtree(folder.rename(folder.with_name("removed")))  # at once: ranks may be writing there
    run.wait("the beats were back", lambda _record: len(list(folder.glob("rank-*.json"))) == 2)


def _only(run: Run, pattern: str) -> Path:
    [found] = run.folder.data_path.glob(pattern)
    return found


FAULTS = [
    Fault(
        "disk full for a while",
        "the checkpoints' disk filled until one was not written",
        "went on; the next one was written",
        disk_full_once,
    ),
    Fault(
        "disk full",
        "the checkpoints' disk filled and left so",
        "ended at the second checkpoint that was not written, with the system's reason",
        disk_full,
        code=6,
    ),
    Fault(
        "disk full when asked to end",
        "the checkpoints' disk filled, then SIGTERM to rank 0",
        "paused, and said: without a checkpoint",
        disk_full_when_asked,
        code=7,
    ),
    Fault(
        "torn checkpoint",
        "paused; a file of the newest checkpoint cut to half, a `.partial` left beside it",
        "named the file, took the checkpoint before, removed the part",
        checkpoint_torn,
        code=7,
        told="__0_1.distcp is cut",
    ),
    Fault(
        "bit flip in a checkpoint",
        "paused; one bit of the newest checkpoint turned over",
        "named the file, took the checkpoint before",
        checkpoint_bit,
        code=7,
        told="__0_0.distcp is damaged",
    ),
    Fault(
        "bit flip in the data",
        "paused; one bit of the training tokens turned over",
        "named the file, wrote it anew from the tokens it was dealt from",
        data_bit,
        code=7,
        told=".bin is damaged",
    ),
    Fault(
        "data cut",
        "paused; training tokens and those they were dealt from cut to half",
        "named the files, tokenised the text again",
        data_cut,
        code=7,
        told="tokenising schemas",
    ),
    Fault(
        "damaged indices",
        "paused; a bit turned in one of Megatron's indices, another cut",
        "named both, had them made anew",
        index_torn,
        code=7,
        told="-dataset_index.npy is cut",
    ),
    Fault(
        "heartbeats removed",
        "the folder of heartbeats removed",
        "went on; the folder was made anew",
        heartbeats_removed,
    ),
]
