import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.runner.data.corpus_stage import CorpusStage
from sixnd.runner.data.stage import digest
from sixnd.specs.errors import InvalidDataError, SixndError
from tests.runner.data.corpus_pass import Passed, numbered, passed, passed_shards, stage

QUESTION = "A train leaves the station at nine and travels west for three hours; how far does it get at 60 km/h?"
SHORT = "Who wrote the novel about the white whale?"
ITEMS = [QUESTION, SHORT, "Two plus two?"]
CUT = {"action": "cut", "window_characters": 20, "min_piece_characters": 30}


@pytest.fixture(scope="module")
def base_dir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    lines = [json.dumps({"question": text, "answer": None, "id": 1}) for text in ITEMS]
    (folder / "items.jsonl").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def against(base_dir):
    def chosen(**change: object) -> CorpusStage:
        return stage("decontaminate", base_dir, evaluation=["items.jsonl"], **change)

    return chosen


@pytest.fixture(scope="module")
def found_in(against):
    default = against()

    def found(*texts: str, shards: int = 1, **change: object) -> Passed:
        return passed(against(**change) if change else default, numbered(texts), shards=shards)

    return found


def filler(words: int, mark: str = "w") -> str:
    return " ".join(f"{mark}{i}" for i in range(words))


def test_a_document_that_quotes_an_item_goes_and_the_item_is_named(found_in):
    quoting = f"{filler(30)} A TRAIN leaves the station at nine, and travels west for three hours. {filler(30)}"
    found = found_in(filler(80), quoting)
    ((name, removed),) = found.removed
    assert (name, removed.reason) == ("d1", "evaluation item")
    assert removed.detail.startswith("1 n-gram of items.jsonl/1; the first, of 13 words: A TRAIN leaves")
    assert found.pairs == [("d1", "items.jsonl/1")]


def test_twelve_words_in_a_row_are_not_enough(found_in):
    twelve = "train leaves the station at nine and travels west for three hours"
    assert not found_in(f"{filler(9)} the {twelve} later").findings


def test_a_short_item_is_looked_for_whole_and_too_short_ones_are_counted(found_in, against):
    found = found_in(f"Quiz! {SHORT} Melville.", "Who wrote the novel about the white shark?")
    assert found.pairs == [("d0", "items.jsonl/2")]
    assert (against().settings["items"], against().settings["items_too_short"]) == (3, 1)


def test_a_cut_takes_the_ngram_and_its_surroundings_and_leaves_the_rest(found_in):
    text = f"{filler(40, 'before')} {QUESTION} {filler(40, 'after')}"
    found = found_in(text, **CUT)
    ((_, left),) = found.left
    assert left == text[: text.index("A train") - 20] + text[text.index("60 km/h") + len("60 km/h?") + 19 :]
    assert found.edits == {"passages cut": 1}
    assert not found_in(left, **CUT).findings


def test_pieces_that_are_too_short_go_too(found_in):
    text = f"tiny start {QUESTION} {filler(40)} {QUESTION} tiny end"
    ((_, left),) = found_in(text, **CUT).left
    assert left in text
    assert "tiny" not in left


def test_a_document_in_too_many_pieces_goes_whole(found_in):
    text = "".join(f"{filler(40, f'part{i}x')} {QUESTION} " for i in range(12))
    assert [name for name, _ in found_in(text, **CUT).removed] == ["d0"]


def test_phrases_of_many_documents_can_be_ignored(found_in):
    texts = [f"{filler(5)} {QUESTION} {QUESTION}" for _ in range(4)]
    assert len(found_in(*texts).findings) == 4
    assert not found_in(*texts, shards=3, ignore_above_documents=3).findings
    assert len(found_in(*texts[:3], shards=2, ignore_above_documents=3).findings) == 3


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 7))
def test_a_quoted_ngram_is_found_wherever_it_stands(found_in, before, after, first):
    words = QUESTION.replace(";", "").replace("?", "").split()
    assert len(found_in(f"{filler(before)} {' '.join(words[first : first + 13])} {filler(after)}").findings) == 1


@settings(deadline=None)
@given(st.lists(st.text(alphabet="abc \n", max_size=200), max_size=10))
def test_documents_without_an_items_words_lose_nothing(found_in, texts):
    assert [text for _, text in found_in(*texts).left] == texts


def test_findings_do_not_depend_on_shards(found_in):
    texts = [f"{filler(i % 9)} {QUESTION if i % 7 == 0 else SHORT[1:]}" for i in range(1200)]
    one = found_in(*texts)
    assert len(one.findings) == 172
    assert found_in(*texts, shards=2) == found_in(*texts, shards=7) == one


def test_shards_may_be_empty(against, tmp_path):
    found = passed_shards(against(ignore_above_documents=5), [[], numbered([QUESTION]), []], tmp_path)
    assert found.pairs == [("d0", "items.jsonl/1")]


def test_the_digest_changes_with_the_items_and_the_settings(against, base_dir):
    (base_dir / "other.txt").write_text(QUESTION)
    other = stage("decontaminate", base_dir, evaluation=["other.txt"])
    (base_dir / "other.txt").write_text(QUESTION + SHORT)
    changed = stage("decontaminate", base_dir, evaluation=["other.txt"])
    assert len({digest(against()), digest(against(ngram=8)), digest(other), digest(changed)}) == 4


def test_items_are_read_from_packed_lines_and_plain_text_by_their_fields(tmp_path):
    record = {"prompt": {"text": "one two three four"}, "choices": ["five six", "seven eight"], "label": 3}
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets/a.jsonl.gz").write_bytes(gzip.compress(json.dumps(record).encode() + b"\n\n"))
    (tmp_path / "sets/b.txt").write_text(SHORT)
    chosen = stage("decontaminate", tmp_path, evaluation=["sets/*"], text_fields=["prompt", "choices", "none"])
    found = passed(chosen, numbered(["One two three four, five six seven eight!", SHORT, filler(9)]))
    assert found.pairs == [("d0", "sets/a.jsonl.gz/1"), ("d1", "sets/b.txt")]


def test_a_stage_without_its_evaluation_sets_is_refused(tmp_path):
    with pytest.raises(SixndError, match="name their files in `evaluation`"):
        stage("decontaminate", tmp_path)
    with pytest.raises(SixndError, match=r"no file matches 'none\.jsonl'"):
        stage("decontaminate", tmp_path, evaluation=["none.jsonl"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "cannot be read as evaluation items"),
        ("[]", "not a JSON object"),
        ('{"text": "x"}', "none of the text_fields question, answer; name some of text"),
        ('{"question": "Two plus two?"}', "no evaluation item has 8 words"),
    ],
)
def test_items_that_cannot_be_looked_for_are_refused(tmp_path, line, message):
    (tmp_path / "items.jsonl").write_text(line)
    with pytest.raises(SixndError, match=message):
        stage("decontaminate", tmp_path, evaluation=["items.jsonl"])


def test_a_damaged_file_of_items_is_refused(tmp_path):
    (tmp_path / "items.jsonl.gz").write_bytes(gzip.compress(b'{"question": ""}')[:-9])
    with pytest.raises(InvalidDataError, match="cannot be read as evaluation items"):
        stage("decontaminate", tmp_path, evaluation=["items.jsonl.gz"])


def test_short_items_cannot_need_more_words_than_an_ngram(tmp_path):
    with pytest.raises(SixndError, match=r"min_words \(8\) is above ngram \(5\)"):
        stage("decontaminate", tmp_path, ngram=5)
