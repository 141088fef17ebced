"""A checkpoint is taken whole, every bit of it, or not at all."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.runner.checkpoints.checkpoint import latest_checkpoint
from sixnd.runner.checkpoints.files import (
    MANIFEST,
    checkpoint_folders,
    partial_folder,
    remove,
    remove_unfinished,
    set_aside,
)
from sixnd.specs.errors import SixndError
from tests.runner.checkpoints.damage import FILES, flip, written


def taken(root: Path) -> tuple[tuple[Path, int] | None, list[tuple[str, str]]]:
    """What is taken, and what was skipped for which reason."""
    skipped: list[tuple[str, str]] = []
    found = latest_checkpoint(root, "abc", lambda folder, reason: skipped.append((folder.name, reason)))
    return found, skipped


def test_the_newest_whole_checkpoint_is_taken(tmp_path: Path) -> None:
    assert taken(tmp_path) == (None, [])
    written(tmp_path, 4)
    newest = written(tmp_path, 100_000_000)  # a name longer than the others
    partial_folder(tmp_path, 200_000_000, attempt=1).mkdir()
    assert taken(tmp_path) == ((newest, 100_000_000), [])


@given(st.sampled_from([*FILES, MANIFEST]), st.integers(0, 10_000), st.integers(0, 7))
@settings(deadline=None, max_examples=60)
def test_a_bit_that_flips_anywhere_is_found_and_the_file_named(name: str, place: int, bit: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        whole = written(root, 4)
        flip(written(root, 8) / name, place, bit)
        found, skipped = taken(root)
        assert found == (whole, 4)
        assert [folder for folder, _reason in skipped] == ["step_00000008"]
        assert skipped[0][1].startswith(name)


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
@pytest.mark.parametrize("cut", [True, False])
def test_a_file_that_is_cut_or_missing_is_named(tmp_path: Path, name: str, cut: bool) -> None:
    whole, torn = written(tmp_path, 4), written(tmp_path, 8)
    if cut:
        (torn / name).write_bytes((torn / name).read_bytes()[:-1])
    else:
        (torn / name).unlink()
    found, [(folder, reason)] = taken(tmp_path)
    assert found == (whole, 4)
    assert folder == "step_00000008"
    assert reason.startswith(name)


def test_where_none_can_be_taken_the_run_does_not_begin_anew_by_itself(tmp_path: Path) -> None:
    for step in (4, 8):
        flip(written(tmp_path, step) / ".metadata", 0)
    with pytest.raises(SixndError, match=r"step_00000008: \.metadata is damaged.*step_00000004.*restore one"):
        latest_checkpoint(tmp_path, "abc")
    for folder in checkpoint_folders(tmp_path):
        set_aside(folder)
    with pytest.raises(SixndError, match=r"step_00000004\.damaged was found damaged before.*move .* away"):
        latest_checkpoint(tmp_path, "abc")


def test_another_plans_checkpoint_is_refused(tmp_path: Path) -> None:
    written(tmp_path, 4, fingerprint="other")
    with pytest.raises(SixndError, match="was written by another plan"):
        latest_checkpoint(tmp_path, "abc")


def test_a_checkpoint_under_another_name_than_its_own_is_not_taken(tmp_path: Path) -> None:
    shutil.copytree(written(tmp_path, 4), tmp_path / "step_00000008")
    found, skipped = taken(tmp_path)
    assert found is not None
    assert found[1] == 4
    assert skipped == [("step_00000008", f"{MANIFEST} is not as it was written")]


def test_a_checkpoint_that_is_written_again_takes_the_old_ones_place(tmp_path: Path) -> None:
    flip(written(tmp_path, 4) / "common.pt", 3)
    again = written(tmp_path, 4)
    assert taken(tmp_path) == ((again, 4), [])
    assert [path.name for path in tmp_path.iterdir()] == ["step_00000004"]


def test_a_removal_that_is_cut_short_leaves_no_checkpoint_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, old = written(tmp_path, 8), written(tmp_path, 4)
    with monkeypatch.context() as cut:
        cut.setattr(shutil, "rmtree", lambda *_args, **_options: None)
        remove(old)
    assert checkpoint_folders(tmp_path) == [whole]
    remove_unfinished(tmp_path)
    assert list(tmp_path.iterdir()) == [whole]
