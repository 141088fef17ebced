import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.runner.data import substring_dedup
from sixnd.runner.data.substring_dedup import repeated_windows
from tests.runner.data.corpus_pass import numbered, passed, passed_shards, stage

pytest.importorskip("pydivsufsort")

LICENCE = "Permission is hereby granted, free of charge, to any person obtaining a copy of this software. "
SHORT = stage("substring-dedup", min_bytes=40)
SHORTER = stage("substring-dedup", min_bytes=16)
REPETITIVE = st.lists(st.text(alphabet="ab é", max_size=80), max_size=8)


def test_a_repeated_passage_is_cut_but_where_it_stands_first():
    texts = [f"First file. {LICENCE}Its code.", f"Second one. {LICENCE}More code.", "Nothing in common."]
    found = passed(SHORT, numbered(texts))
    assert [(f.id, f.also_in, f.why) for f in found.findings] == [
        ("d1", "d0", "1 passage found earlier, the first in d0")
    ]
    assert [text for _, text in found.left] == [texts[0], "Second one. More code.", texts[2]]
    assert found.edits == {"passages cut": 1}


def test_a_document_of_nothing_but_repeated_passages_goes_whole():
    found = passed(SHORT, numbered([LICENCE, "x " + LICENCE, LICENCE]))
    assert [text for _, text in found.left] == [LICENCE, "x "]
    ((name, removed),) = found.removed
    assert (name, removed.reason) == ("d2", "nothing but repeated passages")
    assert removed.detail == "all of it stands earlier, the first passage in d0"


def test_a_passage_repeated_in_its_own_document_is_cut_there():
    (left,) = passed(SHORT, numbered([LICENCE + "And again: " + LICENCE])).left
    assert left[1] == LICENCE + "And again: "


def test_no_word_and_no_character_is_torn():
    passage = "über alle Maßen schöne Wörter stehen hier in einer langen Reihe beieinander"
    found = passed(SHORT, numbered([f"Überall{passage}ende", f"nirgends{passage}n später"]))
    assert found.left[1][1] == "nirgendsüber beieinandern später"


def test_a_passage_shorter_than_the_least_stays():
    documents = numbered(["one " + LICENCE, "two " + LICENCE])
    assert not passed(stage("substring-dedup", min_bytes=len(LICENCE) + 2), documents).findings
    assert passed(stage("substring-dedup", min_bytes=len(LICENCE) + 1), documents).findings


def obvious_windows(text: bytes, least: int) -> dict[int, int]:
    """Repeated windows the slow and obvious way."""
    first: dict[bytes, int] = {}
    found = {}
    for place in range(len(text) - least + 1):
        window = text[place : place + least]
        if b"\xff" in window:
            continue
        head = first.setdefault(window, place)
        if place - head >= least:
            found[place] = head
    return found


@given(st.lists(st.text(alphabet="ab", max_size=40), max_size=5), st.integers(2, 12))
def test_the_suffix_array_finds_the_windows_that_a_plain_search_finds(texts, least):
    text = b"".join(text.encode() + b"\xff" for text in texts)
    places, heads = repeated_windows(np.array(bytearray(text), dtype=np.uint8), least)
    assert dict(zip(places.tolist(), heads.tolist(), strict=True)) == obvious_windows(text, least)


@settings(deadline=None)
@given(REPETITIVE, st.integers(1, 200), st.sampled_from([1, 2, 7]))
def test_neither_blocks_nor_shards_change_a_finding(texts, block_bytes, shards):
    whole = passed(SHORTER, numbered(texts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(substring_dedup, "_BLOCK_BYTES", block_bytes)
        assert passed(SHORTER, numbered(texts), shards=shards) == whole


@settings(deadline=None)
@given(REPETITIVE)
def test_every_window_of_the_corpus_that_is_cut_stands_somewhere_earlier(texts):
    for finding in passed(SHORTER, numbered(texts)).findings:
        text = texts[finding.position]
        earlier = "\n".join(texts[: finding.position])
        for first, end in finding.spans:
            for start in range(first, end - 16):
                window = text[start : start + 16]
                assert window in earlier or text.index(window) < start


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**12), unique=True, max_size=20))
def test_a_corpus_without_repeated_passages_loses_nothing(numbers):
    documents = numbered([f"{number:013d}" for number in numbers])
    assert passed(SHORTER, documents).kept == documents


def test_findings_do_not_depend_on_workers(monkeypatch):
    documents = numbered([f"File {i}. {LICENCE} Part {i * 7}." for i in range(30)])
    one = passed(SHORT, documents)
    assert len(one.findings) == 29
    monkeypatch.setattr(substring_dedup, "_BLOCK_BYTES", 700)
    assert passed(SHORT, documents, shards=4, workers=4) == one


def test_empty_shards_and_a_source_before_are_no_mistake(tmp_path):
    parts = [[], numbered([LICENCE], "one"), [], numbered(["x " + LICENCE], "two"), []]
    assert passed_shards(SHORT, parts, tmp_path).pairs == [("d0", "d0 of one")]
