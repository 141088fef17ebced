import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sixnd.runner.data import near_dedup
from sixnd.runner.data.findings import remaining
from sixnd.runner.data.near_dedup import (
    NearDedup,
    candidate_probability,
    find_near_duplicates,
    probability_curve,
)
from tests.runner.data.planted import planted, true_jaccard

pytest.importorskip("rensa")

LEVELS = [0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]


@pytest.fixture(scope="module")
def corpus():
    return planted(1200, LEVELS, seed=3)


@pytest.fixture(scope="module")
def findings(corpus):
    return find_near_duplicates(corpus.documents)


def found_pairs(findings) -> set[tuple[int, int]]:
    places = {}
    for finding in findings.found:
        places[int(finding.also_in[3:]), finding.position] = finding
    return set(places)


def test_at_least_98_percent_of_planted_pairs_of_jaccard_08_are_found(corpus, findings):
    alike = {pair for pair, similarity in corpus.pairs.items() if similarity >= 0.8}
    assert len(alike) > 400
    assert len(alike & found_pairs(findings)) >= 0.98 * len(alike)


def test_every_removed_document_is_as_like_the_one_that_stays_as_the_threshold_says(corpus, findings):
    for earlier, later in found_pairs(findings):
        assert true_jaccard(corpus.documents[earlier][1], corpus.documents[later][1], 5) >= 0.8
    assert found_pairs(findings) <= set(corpus.pairs)  # precision 1.00: no unrelated document is removed


def test_the_similarity_told_is_the_true_one(corpus, findings):
    for finding in findings.examples(20):
        pair = int(finding.also_in[3:]), finding.position
        assert finding.why == f"Jaccard similarity {corpus.pairs[pair]:.3f}"


def test_pairs_become_candidates_as_often_as_the_curve_says(corpus):
    few = NearDedup(bands=4, rows=6, threshold=0.8)
    for low, high in ((0.78, 0.84), (0.84, 0.88), (0.88, 0.93)):
        pairs = {pair: s for pair, s in corpus.pairs.items() if low <= s < high and s >= 0.8}
        expected = sum(candidate_probability(s, 4, 6) for s in pairs.values())
        spread = (
            sum(candidate_probability(s, 4, 6) * (1 - candidate_probability(s, 4, 6)) for s in pairs.values()) ** 0.5
        )
        found = len(set(pairs) & found_pairs(find_near_duplicates(corpus.documents, few)))
        assert abs(found - expected) < 4 * spread


def test_a_chain_of_similar_documents_removes_only_those_like_one_that_stays():
    words = [f"w{i}" for i in range(200)]
    drifting = [" ".join([*(f"n{i}" for i in range(step)), *words[step:]]) for step in range(0, 60, 10)]
    findings = find_near_duplicates([(f"doc{i}", text) for i, text in enumerate(drifting)])
    gone = {finding.position for finding in findings.found}
    for finding in findings.found:
        kept = int(finding.also_in[3:])
        assert kept not in gone
        assert true_jaccard(drifting[kept], drifting[finding.position], 5) >= 0.8
    assert 0 < len(gone) < len(drifting) - 1  # a chain would have taken all but the first


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(12)), st.integers(0, 50))
def test_the_order_of_unrelated_documents_does_not_matter(order, seed):
    corpus = planted(12, [0.9], words=60, seed=seed)
    twins = [tuple(corpus.documents[i] for i in pair) for pair in corpus.pairs]
    documents = [document for place in order for document in twins[place]]
    expected = find_near_duplicates([document for pair in twins for document in pair])
    found = find_near_duplicates(documents)
    assert {(f.id, f.also_in, f.why) for f in found.found} == {(f.id, f.also_in, f.why) for f in expected.found}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_a_corpus_without_near_duplicates_loses_nothing(seed):
    documents = [(name, text) for name, text in planted(15, [0.1], words=50, seed=seed).documents]
    assert list(remaining(documents, find_near_duplicates(documents))) == documents


def test_findings_do_not_depend_on_workers_or_spilling(corpus, findings, monkeypatch, tmp_path):
    assert find_near_duplicates(iter(corpus.documents), workers=4) == findings
    monkeypatch.setattr(near_dedup, "_MEMORY_BYTES", 10_000)
    assert find_near_duplicates(corpus.documents, spill_dir=tmp_path) == findings
    assert not list(tmp_path.iterdir())


def test_texts_without_words_are_never_duplicates_and_short_ones_are_when_equal():
    documents = [("a", "..."), ("b", "!!!"), ("c", "two words"), ("d", ""), ("e", "Two, words.")]
    findings = find_near_duplicates(documents)
    assert [(f.id, f.also_in, f.why) for f in findings.found] == [("e", "c", "Jaccard similarity 1.000")]


def test_an_empty_corpus_is_no_mistake():
    findings = find_near_duplicates([])
    assert (findings.documents, findings.found) == (0, ())


@pytest.mark.parametrize(
    ("bands", "rows", "similarity", "probability"),
    [
        (14, 8, 0.75, 0.772),  # FineWeb prints 77 %
        (14, 8, 0.8, 0.924),
        (450, 20, 0.7, 0.302),  # RefinedWeb
        (9, 13, 0.8, 0.399),  # SlimPajama
        (16, 6, 0.8, 0.992),  # ours
    ],
)
def test_the_curve_is_that_of_published_settings(bands, rows, similarity, probability):
    assert candidate_probability(similarity, bands, rows) == pytest.approx(probability, abs=5e-4)


def test_the_curve_rises_with_similarity():
    curve = [p for _, p in probability_curve(NearDedup(), [i / 20 for i in range(21)])]
    assert curve == sorted(curve)
    assert (curve[0], curve[-1]) == (0, 1)


def test_settings_that_miss_most_pairs_at_their_own_threshold_are_refused():
    with pytest.raises(ValidationError, match=r"find 40% of the pairs at Jaccard 0\.8; take more bands"):
        NearDedup(bands=9, rows=13, threshold=0.8)
