"""A disk for the checkpoints that can be filled and emptied."""

import contextlib
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil

_SIZE = "64m"
_SMALL_FILE = 100_000
"""Bytes; less than a shard of a checkpoint."""


class SmallDisk:
    """A tmpfs over the checkpoints' folder, or, where none may be mounted, a limit on the first rank's files."""

    def __init__(self, folder: Path, *, mounted: bool) -> None:
        self.folder, self.mounted = folder, mounted

    @property
    def kind(self) -> str:
        """What stands for a full disk here."""
        return f"a tmpfs of {_SIZE}" if self.mounted else "RLIMIT_FSIZE"

    def fill(self, first_rank: psutil.Process) -> None:
        """Let nothing of a checkpoint's size be written any more."""
        if not self.mounted:
            _limit_files(first_rank, _SMALL_FILE)
            return
        with contextlib.suppress(OSError), self._filler.open("wb", buffering=0) as filler:
            while filler.write(bytes(2**16)):
                pass

    def empty(self, first_rank: psutil.Process | None) -> None:
        """Let it be written again."""
        if self.mounted:
            self._filler.unlink()
        elif first_rank is not None:
            _limit_files(first_rank, None)

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"


def _limit_files(process: psutil.Process, size: int | None) -> None:
    _soft, hard = process.rlimit(resource.RLIMIT_FSIZE)
    process.rlimit(resource.RLIMIT_FSIZE, (hard if size is None else size, hard))


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """The disk, until the block ends."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "sixnd-soak", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    try:
        yield SmallDisk(folder, mounted=mounted)
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
