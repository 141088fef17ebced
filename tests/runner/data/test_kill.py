"""`sixnd data prepare` killed, out of disk, and on damaged inputs: nothing is lost, torn or done twice."""

import contextlib
import gzip
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sixnd.data_text import read_accounts
from tests.runner.data import preparing, small_corpus
from tests.runner.data.needs import needs
from tests.runner.data.preparing import prepare

pytestmark = needs("zstandard", "rensa", "tokenizers")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A spec, and what one process makes of it that nobody disturbs."""
    root = tmp_path_factory.mktemp("small")
    spec = preparing.corpus(root / "corpus")
    done = prepare(spec, root / "out")
    assert done.returncode == 0, done.stderr
    return spec, small_corpus.outputs(root / "out")


def killed_until_done(spec: Path, folder: Path, every: int) -> int:
    """Kill the preparation after each ``every`` files until it comes to its end; how often that took."""
    for attempt in range(1, 100):
        before = small_corpus.finished(folder)
        done = prepare(spec, folder, killed_at=every, when=("before", "after")[attempt % 2])
        assert before.items() <= small_corpus.finished(folder).items(), "a finished shard was done again"
        if done.returncode == 0:
            return attempt
        assert done.returncode == -signal.SIGKILL, done.stderr
    raise AssertionError("it never came to its end")


def test_killed_on_its_way_it_goes_on_and_ends_with_the_same_bytes(undisturbed, tmp_path):
    spec, expected = undisturbed
    assert killed_until_done(spec, tmp_path / "out", every=40) > 2
    assert small_corpus.outputs(tmp_path / "out") == expected


@pytest.mark.integration
def test_killed_after_every_few_files_it_ends_with_the_same_bytes(undisturbed, tmp_path):
    spec, expected = undisturbed
    assert killed_until_done(spec, tmp_path / "out", every=11) > 10
    assert small_corpus.outputs(tmp_path / "out") == expected


@pytest.mark.integration
@pytest.mark.parametrize("shards", [1, 8, 16])
def test_four_workers_killed_with_their_command_go_on_and_end_with_the_bytes_of_one(undisturbed, tmp_path, shards):
    spec, expected = undisturbed
    folder = tmp_path / "out"
    environment = os.environ | {"PYTHONPATH": str(preparing.ROOT)}
    process = subprocess.Popen(
        preparing.command(spec, folder, workers=4), env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    )
    while len(small_corpus.finished(folder)) < shards:
        assert process.poll() is None
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = small_corpus.finished(folder)
    done = prepare(spec, folder, workers=4)
    assert done.returncode == 0, done.stderr
    assert before.items() <= small_corpus.finished(folder).items()
    assert small_corpus.outputs(folder) == expected


def test_one_and_four_workers_write_the_same_bytes(undisturbed, tmp_path):
    spec, expected = undisturbed
    done = prepare(spec, tmp_path / "out", workers=4)
    assert done.returncode == 0, done.stderr
    assert small_corpus.outputs(tmp_path / "out") == expected


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of its own of a few blocks; skips where none may be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "sixnd-test", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("size", ["64k", pytest.param("256k", marks=pytest.mark.integration)])
def test_a_full_disk_is_named_and_the_same_command_goes_on_once_there_is_room(undisturbed, tmp_path, size):
    spec, expected = undisturbed
    disk = tmp_path / "disk"
    with small_disk(disk, size):
        done = prepare(spec, disk / "out")
        assert done.returncode == 1
        assert "no space left on device" in done.stderr.lower()
        assert "Traceback" not in done.stderr
        before = small_corpus.finished(disk / "out")
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        done = prepare(spec, disk / "out")
        assert done.returncode == 0, done.stderr
        assert before.items() <= small_corpus.finished(disk / "out").items()
        assert small_corpus.outputs(disk / "out") == expected


def test_a_file_that_may_not_grow_is_named(undisturbed, tmp_path):
    spec, _ = undisturbed
    done = prepare(spec, tmp_path / "out", file_bytes=20_000)
    assert done.returncode == 1
    assert "file too large" in done.stderr.lower()
    assert "Traceback" not in done.stderr


def damaged_corpus(folder: Path) -> Path:
    """The small corpus with every kind of damage beside what is whole; returns the spec."""
    spec = preparing.corpus(folder)
    prose = folder / "prose"
    packed = gzip.compress((prose / "000.jsonl").read_bytes())
    (prose / "cut.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    (prose / "latin.jsonl").write_bytes(b'{"text": "caf\xe9"}\n')
    (prose / "long.jsonl").write_text(json.dumps({"text": "x" * 100_000_000}) + "\n")
    (prose / "empty.jsonl").write_text("")
    (prose / "loop").symlink_to(prose, target_is_directory=True)
    (prose / "self.jsonl").symlink_to(prose / "self.jsonl")
    return spec


def test_damaged_inputs_are_named_and_counted_and_nothing_else_is_lost(undisturbed, tmp_path):
    whole, _ = undisturbed
    spec = damaged_corpus(tmp_path / "corpus")
    done = prepare(spec, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    prose, notes = read_accounts(tmp_path / "out")
    assert {found.kind: found.count for found in prose.damage} == {
        "empty file": 1,
        "longer than 33,554,432 bytes": 1,
        "not UTF-8": 1,
        "symbolic link to a folder that holds it": 1,
        "too many levels of symbolic links": 1,
        "truncated file": 1,
    }
    assert "warning: passed over 6 times what could not be read" in done.stderr
    assert all("corpus/prose/" in found.first[0] for found in prose.damage)
    assert all(found.kind in " ".join(done.stdout.split()) for found in prose.damage[:3])
    expected = {account.name: account for account in read_accounts(whole.parent.parent / "out")}
    assert notes == expected["notes"]
    assert prose.stages[-1].documents_out == expected["prose"].stages[-1].documents_out
    assert prose.stages[0].documents_in > expected["prose"].stages[0].documents_in, "what came before the cut stays"
