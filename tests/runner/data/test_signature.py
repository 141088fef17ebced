import pickle

import numpy as np
import pytest

from sixnd.runner.data import signature
from sixnd.runner.data.signature import Signature, Signatures, SignatureWriter
from sixnd.specs.errors import InvalidDataError
from tests.runner.data.corpus_pass import numbered, sign, stage

EXACT = stage("exact-dedup")


def write(path, lengths):
    with SignatureWriter(path, EXACT, plain={"sizes": np.int64}, ragged={"rows": np.uint16}) as writer:
        for i, length in enumerate(lengths):
            writer.add_documents(numbered([""] * (i + 1))[i:])
            writer.add("sizes", np.array([length], np.int64))
            writer.add_rows("rows", np.arange(length, dtype=np.uint16), np.array([length]))
    return path


@pytest.mark.parametrize("memory", [1, 1 << 20])
def test_columns_and_rows_are_read_as_they_were_written(tmp_path, monkeypatch, memory):
    monkeypatch.setattr(signature, "_MEMORY_BYTES", memory)
    found = Signature(write(tmp_path / "s", [3, 0, 70_000]))
    assert found.column("sizes").tolist() == [3, 0, 70_000]
    assert [len(found.row("rows", i)) for i in range(3)] == [3, 0, 70_000]
    assert found.row("rows", 0).tolist() == [0, 1, 2]
    assert [found.id(i) for i in range(3)] == ["d0", "d1", "d2"]
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_documents_of_all_shards_are_found_by_their_place(tmp_path, monkeypatch):
    monkeypatch.setattr(signature, "_MOST_MAPPED", 2)
    parts = [numbered([f"{i}" for i in range(n)], f"source{n}") for n in (2, 0, 3, 1)]
    shards = Signatures(sign(EXACT, parts, tmp_path), EXACT)
    shards = pickle.loads(pickle.dumps(shards))  # noqa: S301 - as workers get it
    assert [shards.id(i) for i in range(6)] == ["d0", "d1", "d0", "d1", "d2", "d0"]
    assert (shards.seen_from(0, 1), shards.seen_from(0, 2)) == ("d0", "d0 of source2")


@pytest.mark.parametrize("left", [0, 10, 200, -1])
def test_a_signature_that_is_cut_short_is_not_taken_for_whole(tmp_path, left):
    (path,) = sign(EXACT, [numbered(["a", "b"])], tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:left])
    with pytest.raises(InvalidDataError, match="no whole signature"):
        Signatures([path], EXACT)


def test_documents_that_are_not_read_to_their_end_leave_no_signature(tmp_path):
    passing = EXACT.signed(iter(numbered(["a", "b"])), tmp_path / "s")
    next(passing)
    passing.close()
    assert list(tmp_path.iterdir()) == []


def test_a_signature_by_other_settings_is_refused(tmp_path):
    signed = sign(EXACT, [numbered(["a"])], tmp_path)
    with pytest.raises(InvalidDataError, match="was signed by other settings"):
        Signatures(signed, stage("exact-dedup", ignore_case=True))
