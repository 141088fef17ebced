"""What is read is what was written, or it is said which file is not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.runner.index_cache import prove_indices, remove_unproved
from sixnd.runner.proofs import damaged, prove
from tests.runner.checkpoints.damage import flip


@given(st.binary(min_size=1, max_size=300), st.integers(0, 10**6), st.integers(0, 7))
def test_any_bit_turned_over_is_found(tmp_path_factory: pytest.TempPathFactory, content: bytes, at: int, bit: int):
    folder = tmp_path_factory.mktemp("proved")
    (folder / "a").write_bytes(content)
    (folder / "b").write_bytes(b"whole")
    proofs = prove(folder, ["a", "b"])
    assert damaged(folder, proofs) == {}
    flip(folder / "a", at, bit)
    assert damaged(folder, proofs) == {"a": "is damaged: its content is not what was written"}


def test_what_is_cut_or_missing_is_found_without_reading_the_rest(tmp_path: Path):
    for name in ("cut", "gone", "turned"):
        (tmp_path / name).write_bytes(b"12345678")
    proofs = prove(tmp_path, ["cut", "gone", "turned"])
    (tmp_path / "cut").write_bytes(b"123")
    (tmp_path / "gone").unlink()
    flip(tmp_path / "turned", 0)
    assert damaged(tmp_path, proofs) == {"cut": "is cut: 3 bytes of 8", "gone": "is missing"}


def indices(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.npy")}


def test_an_index_that_was_torn_turned_or_never_proved_is_removed(tmp_path: Path):
    for name in ("whole.npy", "torn.npy", "turned.npy"):
        (tmp_path / name).write_bytes(b"an index of Megatron")
    prove_indices(tmp_path)
    assert remove_unproved(tmp_path) == {}
    assert len(indices(tmp_path)) == 3, "what is proved stays"
    flip(tmp_path / "turned.npy", 3)
    (tmp_path / "half-written.npy").write_bytes(b"an in")
    assert list(remove_unproved(tmp_path)) == ["turned.npy"]
    (tmp_path / "torn.npy").write_bytes(b"an in")
    assert list(remove_unproved(tmp_path)) == ["torn.npy"]
    assert indices(tmp_path) == {"whole.npy"}


def test_indices_made_anew_are_proved_anew(tmp_path: Path):
    (tmp_path / "one.npy").write_bytes(b"first")
    prove_indices(tmp_path)
    flip(tmp_path / "one.npy", 0)
    remove_unproved(tmp_path)
    (tmp_path / "one.npy").write_bytes(b"first")
    prove_indices(tmp_path)
    assert remove_unproved(tmp_path) == {}
    assert indices(tmp_path) == {"one.npy"}


@pytest.mark.parametrize("content", [b"", b"{", b'{"one.npy": 3}', b'{"one.npy": {"bytes": "x", "sha256": 1}}'])
def test_without_readable_proofs_every_index_is_made_anew(tmp_path: Path, content: bytes):
    (tmp_path / "one.npy").write_bytes(b"first")
    (tmp_path / "proofs.json").write_bytes(content)
    assert remove_unproved(tmp_path) == {}
    assert indices(tmp_path) == set()


def test_where_there_are_no_indices_yet_nothing_is_written(tmp_path: Path):
    assert remove_unproved(tmp_path / "not there") == {}
    assert not (tmp_path / "not there").exists()
