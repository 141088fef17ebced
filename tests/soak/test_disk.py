"""A disk is full, and then it is not: as a small file system, and as a limit where none may be mounted."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.soak.disk import SmallDisk, small_disk

WRITER = """
import sys
for path in sys.stdin:
    try:
        open(path.strip(), "wb").write(bytes(2**20))
        print("written", flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
"""


def answers(disk: SmallDisk, file: Path) -> list[str]:
    """What a process is told that writes a file before, while and after the disk is full."""
    told = []
    with subprocess.Popen(
        [sys.executable, "-c", WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        process = psutil.Process(writer.pid)
        for act in (lambda: None, lambda: disk.fill(process), lambda: disk.empty(process)):
            act()
            writer.stdin.write(f"{file}\n")
            told.append(writer.stdout.readline().strip())
            file.unlink(missing_ok=True)
        writer.stdin.close()
    return told


def test_without_a_file_system_of_its_own_large_files_are_refused(tmp_path: Path) -> None:
    disk = SmallDisk(tmp_path, mounted=False)
    assert answers(disk, tmp_path / "file") == ["written", "File too large", "written"]


def test_a_small_file_system_is_filled_and_emptied(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        if not disk.mounted:
            pytest.skip("no file system can be mounted here")
        assert answers(disk, disk.folder / "file") == ["written", "No space left on device", "written"]
