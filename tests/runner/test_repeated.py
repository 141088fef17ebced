"""Held-out text that stands in the training text is found, and how much of it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.runner.deal import Dealt, Part
from sixnd.runner.indexed import indexed_writer
from sixnd.runner.repeated import PASSAGE_TOKENS, passage_hashes, repeated_shares

LETTERS = np.random.default_rng(0)


def text(count: int) -> list[int]:
    return [int(token) for token in LETTERS.integers(1, 500, count)]


def part(prefix: Path, documents: list[list[int]]) -> Part:
    with indexed_writer(prefix, np.dtype(np.uint16)) as writer:
        writer.add([np.array(document, dtype=np.uint16) for document in documents])
    return Part(prefix, 0, len(documents), sum(map(len, documents)))


def source(folder: Path, name: str, held_out: list[int], train: list[list[int]]) -> Dealt:
    return Dealt(
        name=name,
        weight=1.0,
        validation=part(folder / f"{name}-validation", [held_out]),
        main=part(folder / f"{name}-train", train),
        annealing=None,
        sha256="0" * 64,
    )


@given(st.lists(st.integers(0, 3), min_size=PASSAGE_TOKENS, max_size=200))
def test_two_passages_have_one_hash_only_where_they_are_the_same(tokens: list[int]) -> None:
    hashes = passage_hashes(np.array(tokens, dtype=np.uint16))
    passages = [tuple(tokens[i : i + PASSAGE_TOKENS]) for i in range(len(tokens) - PASSAGE_TOKENS + 1)]
    assert len(hashes) == len(passages)
    pairs = set(zip(hashes.tolist(), passages, strict=True))
    assert len(set(hashes.tolist())) == len(set(passages)) == len(pairs)


def test_the_share_is_that_of_the_passages_which_any_source_trains_on(tmp_path: Path) -> None:
    new, known = text(500), text(500)
    found = repeated_shares(
        {
            "fresh": source(tmp_path, "fresh", new, [text(700), text(900)]),
            "half": source(tmp_path, "half", text(477) + known, [text(800)]),
            "whole": source(tmp_path, "whole", known[100:400], [text(60) + known + text(60)]),
        }
    )
    assert found["fresh"] == 0
    assert found["whole"] == 1
    assert found["half"] == pytest.approx(0.5, abs=1e-3)


def test_a_held_out_text_shorter_than_a_passage_repeats_nothing(tmp_path: Path) -> None:
    long = source(tmp_path, "long", text(100), [text(100)])
    short = source(tmp_path, "short", [1] * (PASSAGE_TOKENS - 1), [[1] * 100])
    assert repeated_shares({"long": long, "short": short})["short"] == 0
