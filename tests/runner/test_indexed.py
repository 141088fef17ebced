import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from megatron.core.datasets.indexed_dataset import DType, IndexedDataset, IndexedDatasetBuilder

from sixnd.runner.indexed import indexed_writer, token_dtype, verified, with_suffix
from sixnd.specs.errors import InvalidDataError

Documents = list[np.ndarray[Any, Any]]


def write(prefix: Path, documents: Documents, dtype: np.dtype[Any], at_once: int = 3) -> None:
    with indexed_writer(prefix, dtype) as writer:
        for first in range(0, len(documents), at_once):
            writer.add(documents[first : first + at_once])


def write_by_megatron(prefix: Path, documents: Documents, dtype: np.dtype[Any]) -> None:
    builder = IndexedDatasetBuilder(str(with_suffix(prefix, ".bin")), dtype=dtype.type)
    for document in documents:
        builder.add_document(document, [len(document)])
    builder.finalize(str(with_suffix(prefix, ".idx")))


def some_documents(count: int, vocab_size: int, seed: int = 0) -> Documents:
    random = np.random.default_rng(seed)
    return [random.integers(0, vocab_size, random.integers(1, 50)) for _ in range(count)]


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 40), max_size=12),
    vocab_size=st.sampled_from([300, 65_499, 65_500, 200_000]),
    at_once=st.integers(1, 5),
)
def test_the_files_are_megatrons_own_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], vocab_size: int, at_once: int
) -> None:
    folder, random = tmp_path_factory.mktemp("indexed"), np.random.default_rng(len(lengths))
    documents = [random.integers(0, vocab_size, length) for length in lengths]
    dtype = token_dtype(vocab_size)
    write(folder / "ours", documents, dtype, at_once)
    write_by_megatron(folder / "theirs", documents, dtype)
    for suffix in (".bin", ".idx"):
        assert (folder / f"ours{suffix}").read_bytes() == (folder / f"theirs{suffix}").read_bytes()


@pytest.mark.parametrize("vocab_size", [256, 65_499, 65_500, 65_536, 65_537, 1_000_000])
def test_ids_are_stored_in_the_type_that_megatron_would_choose(vocab_size: int) -> None:
    assert token_dtype(vocab_size) == DType.optimal_dtype(vocab_size)


@pytest.mark.parametrize("vocab_size", [1_000, 100_000])
def test_megatrons_dataset_opens_them_and_gives_every_document_back(tmp_path: Path, vocab_size: int) -> None:
    documents = some_documents(100, vocab_size)
    write(tmp_path / "v1.2-text", documents, token_dtype(vocab_size))
    dataset = IndexedDataset(str(tmp_path / "v1.2-text"))
    assert len(dataset) == len(documents)
    assert list(dataset.document_indices) == list(range(101))
    for found, document in zip((dataset[i] for i in range(len(documents))), documents, strict=True):
        np.testing.assert_array_equal(found, document)


def test_the_summary_tells_what_is_there_and_is_found_true(tmp_path: Path) -> None:
    documents = some_documents(20, 500)
    write(tmp_path / "a", documents, token_dtype(500))
    summary = verified(tmp_path / "a")
    assert (summary.documents, summary.tokens, summary.dtype) == (20, sum(map(len, documents)), "uint16")


@pytest.mark.parametrize("suffix", [".bin", ".idx"])
def test_one_changed_bit_is_found_and_the_file_named(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / "a", some_documents(20, 500), token_dtype(500))
    path = tmp_path / f"a{suffix}"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(InvalidDataError, match=rf"a\{suffix}: its SHA-256 is .* it was changed"):
        verified(tmp_path / "a")
    path.unlink()
    with pytest.raises(InvalidDataError, match=rf"a\{suffix}: it is missing"):
        verified(tmp_path / "a")


def test_a_write_that_fails_leaves_no_summary_and_no_half_written_file(tmp_path: Path) -> None:
    write(tmp_path / "a", some_documents(5, 500), token_dtype(500))
    before = {suffix: (tmp_path / f"a{suffix}").read_bytes() for suffix in (".bin", ".idx")}

    def fail() -> None:
        with indexed_writer(tmp_path / "a", token_dtype(500)) as writer:
            writer.add(some_documents(3, 500, seed=1))
            raise RuntimeError("the text ended in an error")

    with pytest.raises(RuntimeError):
        fail()
    assert sorted(os.listdir(tmp_path)) == ["a.bin", "a.idx"]
    assert all((tmp_path / f"a{suffix}").read_bytes() == data for suffix, data in before.items())
    with pytest.raises(InvalidDataError, match=r"a\.json: it is missing: the data was never finished"):
        verified(tmp_path / "a")


def test_an_id_that_the_type_cannot_hold_is_never_wrapped_around(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        write(tmp_path / "a", [np.array([70_000])], token_dtype(500))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["{", "{}", "[]", json.dumps({"format": "indexed/1"})])
def test_a_summary_that_is_none_is_told_with_its_name(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InvalidDataError, match=r"a\.json: not a summary of indexed data"):
        verified(tmp_path / "a")
