from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.runner.data import exact_dedup
from sixnd.runner.data.stage import digest
from tests.runner.data.corpus_pass import numbered, passed, passed_shards, stage

TEXTS = st.lists(st.text(max_size=8), max_size=30)
EXACT = stage("exact-dedup")
AS_IS = stage("exact-dedup", unicode="as-is", collapse_space=False)


def test_the_first_of_equal_texts_stays_and_is_named():
    found = passed(EXACT, numbered(["one", "two", "one", "three", " one\n", "two"]))
    assert found.pairs == [("d2", "d0"), ("d4", "d0"), ("d5", "d1")]
    assert [name for name, _ in found.left] == ["d0", "d1", "d3"]
    assert {removed.reason for _, removed in found.removed} == {"exact duplicate"}
    assert found.removed[0][1].detail == "the same text as d0, which stays"


def test_what_is_normalised_is_a_setting_and_changes_the_digest():
    documents = numbered(["A b", "a  b", "Cafe\u0301", "Caf\u00e9"])
    loose = stage("exact-dedup", ignore_case=True)
    assert passed(AS_IS, documents).findings == []
    assert [name for name, _ in passed(loose, documents).pairs] == ["d1", "d3"]
    assert len({digest(AS_IS), digest(loose), digest(EXACT)}) == 3


@given(TEXTS, st.sampled_from([1, 2, 7]))
@settings(deadline=None, max_examples=50)
def test_what_remains_has_no_duplicates_and_every_text_once_however_it_is_cut(texts, shards):
    assert [text for _, text in passed(AS_IS, numbered(texts), shards=shards).left] == list(dict.fromkeys(texts))


@pytest.mark.parametrize("shards", [2, 7])
def test_findings_do_not_depend_on_shards_or_portions(monkeypatch, shards):
    documents = numbered([f"text {i % 700}" for i in range(1500)])
    one = passed(EXACT, documents)
    assert len(one.removed) == 800
    monkeypatch.setattr(exact_dedup, "_MEMORY_BYTES", 10_000)
    assert passed(EXACT, documents, shards=shards) == one


def test_shards_may_be_empty_and_identifiers_may_come_again_in_another_source(tmp_path):
    one, other = numbered(["a", "b"], "first"), numbered(["b", "c"], "second")
    found = passed_shards(EXACT, [[], one, [], other, []], tmp_path)
    assert found.pairs == [("d0", "d1 of first")]
    assert found.left == [("d0", "a"), ("d1", "b"), ("d1", "c")]


def test_no_shard_at_all_is_no_mistake(tmp_path):
    assert passed_shards(EXACT, [], tmp_path).findings == []


def test_the_text_that_goes_on_is_the_one_that_came():
    (kept,) = passed(EXACT, [replace(numbered([" Cafe\u0301  au\n lait "])[0], language="fr")]).kept
    assert (kept.text, kept.language) == (" Cafe\u0301  au\n lait ", "fr")
