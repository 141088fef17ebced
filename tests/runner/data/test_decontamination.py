import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sixnd.runner.data.decontamination import Decontamination, EvaluationIndex, find_contaminated
from sixnd.runner.data.findings import remaining
from sixnd.specs.errors import SixndError

QUESTION = "A train leaves the station at nine and travels west for three hours; how far does it get at 60 km/h?"
SHORT = "Who wrote the novel about the white whale?"
ITEMS = [("maths/1", QUESTION), ("books/7", SHORT), ("tiny/1", "Two plus two?")]
DEFAULT = Decontamination()
CUT = Decontamination(action="cut", window_characters=20, least_piece_characters=30)


def index(chosen: Decontamination = DEFAULT) -> EvaluationIndex:
    return EvaluationIndex.of(ITEMS, chosen)


def filler(words: int, mark: str = "w") -> str:
    return " ".join(f"{mark}{i}" for i in range(words))


def test_a_document_that_quotes_an_item_goes_and_the_item_is_named():
    quoting = f"{filler(30)} A TRAIN leaves the station at nine, and travels west for three hours. {filler(30)}"
    findings = find_contaminated([("clean", filler(80)), ("quoting", quoting)], index())
    (finding,) = findings.found
    assert (finding.id, finding.also_in, finding.whole) == ("quoting", "maths/1", True)
    assert finding.why.startswith("1 n-grams of maths/1; the first, of 13 words: A TRAIN leaves")
    assert finding.bytes == len(quoting)


def test_twelve_words_in_a_row_are_not_enough():
    twelve = "train leaves the station at nine and travels west for three hours"
    assert not find_contaminated([("d", f"{filler(9)} the {twelve} later")], index()).found


def test_a_short_item_is_looked_for_whole_and_too_short_ones_are_told():
    documents = [("all", f"Quiz! {SHORT} Melville."), ("part", "Who wrote the novel about the white shark?")]
    assert [f.id for f in find_contaminated(documents, index()).found] == ["all"]
    assert index().too_short == ("tiny/1",)


def test_items_that_are_all_too_short_are_refused():
    with pytest.raises(SixndError, match="no evaluation item has 8 words"):
        EvaluationIndex.of([("tiny/1", "Two plus two?")], DEFAULT)


def test_a_cut_takes_the_ngram_and_its_surroundings_and_leaves_the_rest():
    text = f"{filler(40, 'before')} {QUESTION} {filler(40, 'after')}"
    findings = find_contaminated([("d", text)], index(CUT), CUT)
    ((_, left),) = remaining([("d", text)], findings)
    assert left == text[: text.index("A train") - 20] + text[text.index("60 km/h") + len("60 km/h?") + 19 :]
    assert findings.removed_bytes == len(text) - len(left)
    assert not find_contaminated([("d", left)], index(CUT), CUT).found


def test_pieces_that_are_too_short_go_too():
    text = f"tiny start {QUESTION} {filler(40)} {QUESTION} tiny end"
    ((_, left),) = remaining([("d", text)], find_contaminated([("d", text)], index(CUT), CUT))
    assert left in text
    assert "tiny" not in left


def test_a_document_in_too_many_pieces_goes_whole():
    text = "".join(f"{filler(40, f'part{i}x')} {QUESTION} " for i in range(12))
    (finding,) = find_contaminated([("d", text)], index(CUT), CUT).found
    assert finding.whole


def test_phrases_of_many_documents_can_be_ignored():
    documents = [(f"d{i}", f"{filler(5)} {QUESTION}") for i in range(4)]
    ignoring = Decontamination(ignore_above_documents=3)
    assert len(find_contaminated(documents, index(ignoring)).found) == 4
    assert not find_contaminated(documents, index(ignoring), ignoring).found
    assert len(find_contaminated(documents[:3], index(ignoring), ignoring).found) == 3


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 7))
def test_a_quoted_ngram_is_found_wherever_it_stands(before, after, first):
    words = QUESTION.replace(";", "").replace("?", "").split()
    text = f"{filler(before)} {' '.join(words[first : first + 13])} {filler(after)}"
    assert len(find_contaminated([("d", text)], index()).found) == 1


@settings(deadline=None)
@given(st.lists(st.text(alphabet="abc \n", max_size=200), max_size=10))
def test_documents_without_an_items_words_lose_nothing(texts):
    documents = [(f"d{i}", text) for i, text in enumerate(texts)]
    assert list(remaining(documents, find_contaminated(documents, index()))) == documents


def test_findings_do_not_depend_on_workers():
    documents = [(f"d{i}", f"{filler(i % 9)} {QUESTION if i % 7 == 0 else SHORT[1:]}") for i in range(1200)]
    one = find_contaminated(documents, index())
    assert len(one.found) == 172
    assert find_contaminated(documents, index(), workers=2) == one


def test_the_digest_changes_with_the_items_and_the_settings():
    other = EvaluationIndex.of(ITEMS[:2], DEFAULT)
    eight = Decontamination(ngram=8)
    digests = {
        find_contaminated([], index()).settings_digest,
        find_contaminated([], other).settings_digest,
        find_contaminated([], index(eight), eight).settings_digest,
    }
    assert len(digests) == 3


def test_short_items_cannot_need_more_words_than_an_ngram():
    with pytest.raises(ValidationError, match=r"least_words \(8\) is above ngram \(5\)"):
        Decontamination(ngram=5)
