from hypothesis import given
from hypothesis import strategies as st

from sixnd.runner.data import exact_dedup
from sixnd.runner.data.exact_dedup import ExactDedup, find_exact_duplicates
from sixnd.runner.data.findings import remaining

TEXTS = st.lists(st.text(max_size=8), max_size=30)


def numbered(texts: list[str]) -> list[tuple[str, str]]:
    return [(f"d{i}", text) for i, text in enumerate(texts)]


def test_the_first_of_equal_texts_stays_and_is_named():
    documents = numbered(["one", "two", "one", "three", " one\n", "two"])
    findings = find_exact_duplicates(documents)
    assert [(f.id, f.also_in) for f in findings.found] == [("d2", "d0"), ("d4", "d0"), ("d5", "d1")]
    assert [name for name, _ in remaining(documents, findings)] == ["d0", "d1", "d3"]
    assert (findings.documents, findings.bytes, findings.removed_bytes) == (6, 22, 11)


def test_what_is_normalised_is_a_setting_and_changes_the_digest():
    documents = numbered(["A b", "a  b", "Cafe\u0301", "Caf\u00e9"])
    strict = ExactDedup(unicode_form="none", collapse_space=False)
    loose = ExactDedup(ignore_case=True)
    assert find_exact_duplicates(documents, strict).removed_documents == 0
    assert [f.id for f in find_exact_duplicates(documents, loose).found] == ["d1", "d3"]
    assert find_exact_duplicates([], strict).settings_digest != find_exact_duplicates([], loose).settings_digest


@given(st.lists(st.text(alphabet="abc", min_size=1), unique=True, max_size=30))
def test_a_corpus_without_duplicates_loses_nothing(texts):
    documents = numbered(texts)
    assert list(remaining(documents, find_exact_duplicates(documents))) == documents


@given(TEXTS)
def test_what_remains_has_no_duplicates_and_every_text_once(texts):
    documents = numbered(texts)
    left = list(
        remaining(documents, find_exact_duplicates(documents, ExactDedup(unicode_form="none", collapse_space=False)))
    )
    assert [text for _, text in left] == list(dict.fromkeys(texts))


def test_findings_do_not_depend_on_workers_or_spilling(monkeypatch, tmp_path):
    documents = numbered([f"text {i % 700}" for i in range(1500)])
    one = find_exact_duplicates(documents)
    assert one.removed_documents == 800
    monkeypatch.setattr(exact_dedup, "_MEMORY_BYTES", 1000)
    assert find_exact_duplicates(documents, workers=2, spill_dir=tmp_path) == one


def test_progress_tells_documents_and_bytes():
    seen = []
    find_exact_duplicates(numbered(["ab", "é"]), progress=lambda documents, size: seen.append((documents, size)))
    assert seen == [(2, 4)]
