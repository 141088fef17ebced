import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.runner.data import substring_dedup
from sixnd.runner.data.findings import remaining
from sixnd.runner.data.substring_dedup import SubstringDedup, find_repeated_substrings, repeated_windows

pytest.importorskip("pydivsufsort")

LICENCE = "Permission is hereby granted, free of charge, to any person obtaining a copy of this software. "
SHORT = SubstringDedup(least_bytes=40)
REPETITIVE = st.lists(st.text(alphabet="ab é", max_size=80), max_size=8)


def numbered(texts: list[str]) -> list[tuple[str, str]]:
    return [(f"d{i}", text) for i, text in enumerate(texts)]


def test_a_repeated_passage_is_cut_but_where_it_stands_first():
    documents = numbered([f"First file. {LICENCE}Its code.", f"Second one. {LICENCE}More code.", "Nothing in common."])
    findings = find_repeated_substrings(documents, SHORT)
    assert [(f.id, f.also_in, f.why) for f in findings.found] == [("d1", "d0", "1 passage found earlier")]
    assert [text for _, text in remaining(documents, findings)] == [
        documents[0][1],
        "Second one. More code.",
        documents[2][1],
    ]
    assert findings.removed_bytes == len(LICENCE)


def test_a_document_of_nothing_but_repeated_passages_goes_whole():
    documents = numbered([LICENCE, "x " + LICENCE, LICENCE])
    findings = find_repeated_substrings(documents, SHORT)
    assert [(f.id, f.whole) for f in findings.found] == [("d1", False), ("d2", True)]
    assert [text for _, text in remaining(documents, findings)] == [LICENCE, "x "]


def test_a_passage_repeated_in_its_own_document_is_cut_there():
    documents = numbered([LICENCE + "And again: " + LICENCE])
    (left,) = remaining(documents, find_repeated_substrings(documents, SHORT))
    assert left[1] == LICENCE + "And again: "


def test_no_word_and_no_character_is_torn():
    passage = "über alle Maßen schöne Wörter stehen hier in einer langen Reihe beieinander"
    documents = numbered([f"Überall{passage}ende", f"nirgends{passage}n später"])
    findings = find_repeated_substrings(documents, SHORT)
    assert [text for _, text in remaining(documents, findings)][1] == "nirgendsüber beieinandern später"


def test_a_passage_shorter_than_the_least_stays():
    documents = numbered(["one " + LICENCE, "two " + LICENCE])
    assert not find_repeated_substrings(documents, SubstringDedup(least_bytes=len(LICENCE) + 2)).found
    assert find_repeated_substrings(documents, SubstringDedup(least_bytes=len(LICENCE) + 1)).found


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
@given(REPETITIVE, st.integers(1, 200))
def test_blocks_change_no_finding(texts, block_bytes):
    documents = numbered(texts)
    whole = find_repeated_substrings(documents, SubstringDedup(least_bytes=16))
    assert find_repeated_substrings(documents, SubstringDedup(least_bytes=16, block_bytes=block_bytes)) == whole


@settings(deadline=None)
@given(REPETITIVE)
def test_every_window_of_the_corpus_that_is_cut_stands_somewhere_earlier(texts):
    documents = numbered(texts)
    for finding in find_repeated_substrings(documents, SubstringDedup(least_bytes=16)).found:
        text = texts[finding.position]
        earlier = "\n".join(texts[: finding.position])
        for span in finding.spans:
            for start in range(span.start, span.end - 16):
                window = text[start : start + 16]
                assert window in earlier or text.index(window) < start


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**12), unique=True, max_size=20))
def test_a_corpus_without_repeated_passages_loses_nothing(numbers):
    documents = numbered([f"{number:013d}" for number in numbers])
    findings = find_repeated_substrings(documents, SubstringDedup(least_bytes=16))
    assert list(remaining(documents, findings)) == documents


def test_findings_do_not_depend_on_workers_or_spilling(monkeypatch, tmp_path):
    documents = numbered([f"File {i}. {LICENCE} Part {i * 7}." for i in range(30)])
    small = SubstringDedup(least_bytes=40, block_bytes=700)
    one = find_repeated_substrings(documents, small)
    assert len(one.found) == 29
    monkeypatch.setattr(substring_dedup, "_MEMORY_BYTES", 100)
    assert find_repeated_substrings(documents, small, workers=4, spill_dir=tmp_path) == one
