import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.specs import catalog
from sixnd.specs.errors import SixndError
from sixnd.specs.text_filters import NearDedup
from tests.runner.data.corpus_pass import numbered, passed, passed_shards, stage
from tests.runner.data.planted import Planted, planted, true_jaccard

pytest.importorskip("rensa")

LEVELS = [0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
NEAR = stage("near-dedup")


def documents_of(corpus: Planted):
    return numbered(text for _, text in corpus.documents)


def of_bands(bands: int, rows: int, threshold: float = 0.8) -> NearDedup:
    return NearDedup(ngram=5, bands=bands, rows=rows, threshold=threshold, seed=1)


@pytest.fixture(scope="module")
def corpus():
    return planted(1200, LEVELS, seed=3)


@pytest.fixture(scope="module")
def found(corpus):
    return passed(NEAR, documents_of(corpus))


def found_pairs(found) -> set[tuple[int, int]]:
    return {(int(finding.also_in[1:]), finding.position) for finding in found.findings}


def test_at_least_98_percent_of_planted_pairs_of_jaccard_08_are_found(corpus, found):
    alike = {pair for pair, similarity in corpus.pairs.items() if similarity >= 0.8}
    assert len(alike) > 400
    assert len(alike & found_pairs(found)) >= 0.98 * len(alike)


def test_every_removed_document_is_as_like_the_one_that_stays_as_the_threshold_says(corpus, found):
    for earlier, later in found_pairs(found):
        assert true_jaccard(corpus.documents[earlier][1], corpus.documents[later][1], 5) >= 0.8
    assert found_pairs(found) <= set(corpus.pairs)  # precision 1.00: no unrelated document is removed


def test_the_similarity_told_is_the_true_one(corpus, found):
    for finding in found.findings[::30]:
        pair = int(finding.also_in[1:]), finding.position
        assert finding.why == f"Jaccard similarity {corpus.pairs[pair]:.3f} to d{pair[0]}, which stays"
    assert {removed.reason for _, removed in found.removed} == {"near-duplicate"}


def test_pairs_become_candidates_as_often_as_the_curve_says(corpus):
    chosen = of_bands(4, 6)
    pairs_found = found_pairs(passed(stage("near-dedup", bands=4), documents_of(corpus)))
    for low, high in ((0.78, 0.84), (0.84, 0.88), (0.88, 0.93)):
        odds = {
            pair: chosen.candidate_probability(s) for pair, s in corpus.pairs.items() if low <= s < high and s >= 0.8
        }
        spread = sum(p * (1 - p) for p in odds.values()) ** 0.5
        assert abs(len(set(odds) & pairs_found) - sum(odds.values())) < 4 * spread


def test_a_chain_of_similar_documents_removes_only_those_like_one_that_stays():
    words = [f"w{i}" for i in range(200)]
    drifting = [" ".join([*(f"n{i}" for i in range(step)), *words[step:]]) for step in range(0, 60, 10)]
    found = passed(NEAR, numbered(drifting))
    assert_each_has_a_kept_partner(found, drifting)
    assert 0 < len(found.removed) < len(drifting) - 1  # a chain would have taken all but the first


def assert_each_has_a_kept_partner(found, texts: list[str], ngram: int = 5) -> None:
    gone = {finding.position for finding in found.findings}
    for finding in found.findings:
        partner = int(finding.also_in[1:])
        assert partner not in gone
        assert partner < finding.position
        assert true_jaccard(texts[partner], texts[finding.position], ngram) >= 0.8


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "c"]), min_size=3, max_size=14).map(" ".join), max_size=25),
    st.sampled_from([1, 3]),
)
def test_whatever_is_removed_has_a_kept_partner_and_no_candidate_is_missed(texts, shards):
    found = passed(stage("near-dedup", ngram=2, bands=64, rows=1), numbered(texts), shards=shards)
    assert_each_has_a_kept_partner(found, texts, ngram=2)
    gone = {finding.position for finding in found.findings}
    for place in set(range(len(texts))) - gone:  # with so many bands every pair as like as that is a candidate
        assert all(true_jaccard(texts[place], texts[kept], 2) < 0.8 for kept in range(place) if kept not in gone)


def test_many_copies_of_one_text_leave_the_first():
    text = " ".join(f"word{i}" for i in range(40))
    found = passed(NEAR, numbered([text] * 3000), shards=5)
    assert {also_in for _, also_in in found.pairs} == {"d0"}
    assert [name for name, _ in found.left] == ["d0"]


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(12)), st.integers(0, 50))
def test_the_order_of_unrelated_documents_does_not_matter(order, seed):
    corpus = planted(12, [0.9], words=60, seed=seed)
    twins = [tuple(documents_of(corpus)[i] for i in pair) for pair in corpus.pairs]
    expected = passed(NEAR, [document for pair in twins for document in pair])
    found = passed(NEAR, [document for place in order for document in twins[place]])
    assert set(found.pairs) == set(expected.pairs)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_a_corpus_without_near_duplicates_loses_nothing(seed):
    documents = documents_of(planted(15, [0.1], words=50, seed=seed))
    assert passed(NEAR, documents).kept == documents


@pytest.mark.parametrize(("shards", "workers"), [(2, 1), (7, 4)])
def test_findings_do_not_depend_on_shards_or_workers(corpus, found, shards, workers):
    assert passed(NEAR, documents_of(corpus), shards=shards, workers=workers) == found


def test_empty_shards_and_identifiers_that_come_again_are_no_mistake(tmp_path):
    text = " ".join(f"word{i}" for i in range(40))
    parts = [[], numbered([text], "one"), [], numbered(["another text", text], "two"), []]
    found = passed_shards(NEAR, parts, tmp_path)
    assert found.pairs == [("d1", "d0 of one")]


def test_texts_without_words_are_never_duplicates_and_short_ones_are_when_equal():
    found = passed(NEAR, numbered(["...", "!!!", "two words", "", "Two, words."]))
    assert [(f.id, f.also_in) for f in found.findings] == [("d4", "d2")]
    assert found.findings[0].why.startswith("Jaccard similarity 1.000")


def test_an_empty_corpus_is_no_mistake():
    assert passed(NEAR, []).findings == []


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
    chosen = NearDedup.model_construct(bands=bands, rows=rows)
    assert chosen.candidate_probability(similarity) == pytest.approx(probability, abs=5e-4)


def test_the_curve_rises_with_similarity():
    curve = [p for _, p in of_bands(16, 6).probability_curve([i / 20 for i in range(21)])]
    assert curve == sorted(curve)
    assert (curve[0], curve[-1]) == (0, 1)


def test_the_curve_that_the_catalog_prints_is_that_of_its_settings():
    source = catalog.text_filter("near-dedup").source
    for similarity in (0.5, 0.6, 0.7, 0.75, 0.8):
        probability = of_bands(16, 6).candidate_probability(similarity)
        assert f"{100 * probability:.1f} %" in source


def test_settings_that_miss_most_pairs_at_their_own_threshold_are_refused():
    with pytest.raises(SixndError, match=r"find 40% of the pairs at Jaccard 0\.8; take more bands"):
        stage("near-dedup", bands=9, rows=13)
