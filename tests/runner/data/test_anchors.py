import itertools
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sixnd.runner.data import anchors as module
from sixnd.runner.data.anchors import END, anchors, repeated_regions
from sixnd.runner.data.shingles import byte_ngram_hashes
from sixnd.runner.data.signature import Signatures
from tests.runner.data.corpus_pass import cut, numbered, sign, stage

pytest.importorskip("pydivsufsort")

LEAST = 16
DEDUP = stage("substring-dedup", min_bytes=LEAST)
PASSAGES = ["the passage that is copied ", "another one, longer than that: ", "aaaaaaaaaaaaaaaaaaaa", "ab" * 12]
TEXTS = st.lists(
    st.lists(st.one_of(st.sampled_from(PASSAGES), st.text(max_size=6)), max_size=5).map("".join), max_size=8
)


def as_bytes(texts: list[str]) -> np.ndarray:
    return np.array(bytearray(b"".join(text.encode() + bytes([END]) for text in texts)), dtype=np.uint8)


def repeated(data: bytes) -> set[int]:
    """Places of windows that stand more than once, the slow and obvious way."""
    places: dict[bytes, list[int]] = {}
    for place in range(len(data) - LEAST + 1):
        window = data[place : place + LEAST]
        if END not in window:
            places.setdefault(window, []).append(place)
    return {place for found in places.values() if len(found) > 1 for place in found}


def regions(texts: list[str], shards: int) -> list[tuple[int, int]]:
    parts = cut(numbered(texts), shards)
    lengths = [sum(len(document.text.encode()) + 1 for document in part) for part in parts]
    starts = np.cumsum([0, *(len(text.encode()) + 1 for text in texts)])
    with TemporaryDirectory() as folder:
        signed = Signatures(sign(DEDUP, parts, Path(folder)), DEDUP)
        begins, ends = repeated_regions(signed, np.cumsum([0, *lengths]), starts, LEAST)
    return list(zip(begins.tolist(), ends.tolist(), strict=True))


@settings(deadline=None)
@given(TEXTS, st.sampled_from([1, 3]), st.sampled_from([1, 7, 1 << 18]), st.sampled_from([100, 1 << 20]))
@example([PASSAGES[0], "x" + PASSAGES[0]], 2, 1, 100)
def test_no_window_that_repeats_falls_through_the_sieve(texts, shards, windows_at_once, memory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_WINDOWS_AT_ONCE", windows_at_once)
        patch.setattr(module, "_MEMORY_BYTES", memory)
        found = regions(texts, shards)
    for place in repeated(as_bytes(texts).tobytes()):
        assert any(begin <= place and place + LEAST <= end for begin, end in found)


@settings(deadline=None)
@given(TEXTS)
def test_regions_are_in_order_and_apart_and_end_with_their_document(texts):
    found, data = regions(texts, 1), as_bytes(texts)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(found))
    assert all(begin < end and END not in data[begin:end] for begin, end in found)


def test_text_without_a_repeat_is_held_back_whole():
    letters = np.random.default_rng(1).integers(ord("a"), ord("z") + 1, 20_000, dtype=np.uint8)
    assert regions([letters.tobytes().decode()], 1) == []


def test_anchors_are_few():
    data = np.random.default_rng(1).integers(0, 255, 500_000, dtype=np.uint8)
    numbers, places = anchors(data, 200)
    assert len(numbers) == len(places)
    assert 0.018 < len(places) / len(data) < 0.022


@given(st.binary(min_size=3, max_size=60), st.integers(1, 3))
def test_equal_ngrams_of_bytes_have_equal_numbers_and_others_differ(data, n):
    numbers = byte_ngram_hashes(np.frombuffer(data, np.uint8), n).tolist()
    ngrams = [data[i : i + n] for i in range(len(data) - n + 1)]
    assert len(set(zip(ngrams, numbers, strict=True))) == len(set(ngrams)) == len(set(numbers))
