import hashlib
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.runner.tokenizers.file import load_tokenizer, write_tokenizer
from sixnd.runner.tokenizers.text_models import ByteLevelModel, SentencePieceModel, WordPieceModel, text_model
from sixnd.runner.tokenizers.training import train, train_byte_level, train_word_piece
from sixnd.specs.errors import InvalidDataError
from sixnd.specs.tokenizers import TokenizerKind
from tests.runner.conftest import ROOT

TEXTS = [path.read_text("utf-8") for path in sorted((ROOT / "specs").glob("*.py"))]
ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
LOSSLESS: list[TokenizerKind] = ["byte-bpe", "sp-bpe", "sp-unigram"]
KINDS: list[TokenizerKind] = [*LOSSLESS, "wordpiece"]
HARD = ["", "\0", " ", "   ", "\u2581", " \u2581\u2581 ", "a\r\nb\r\n", "\n\n", "\t", "\u00a0\u3000\u200b\ufeff"]
HARD += ["\U0001f469\u200d\U0001f680\U0001f3fd", "e\u0301 \u1e69\u0323", "\ufffd\uffff\U0010ffff", "<unk><s></s><pad>"]
HARD += ["<0xE2><|endoftext|>", "中文字\u2581 हिन्दी ไทย", "\x1c\x1d\x85\u2028", "'S'ſ'Re", "١٢٣४५", "a" * 5000]
PROBE = """
import hashlib, pathlib
from sixnd.runner.tokenizers.training import train
texts = [path.read_text("utf-8") for path in sorted(pathlib.Path("specs").glob("*.py"))]
print(hashlib.sha256(train("{kind}", texts, 900, 1)).hexdigest())
"""


@pytest.fixture(scope="module")
def byte_level() -> ByteLevelModel:
    return ByteLevelModel(train_byte_level(TEXTS, 900))


@pytest.fixture(scope="module")
def word_piece() -> WordPieceModel:
    return WordPieceModel(train_word_piece(TEXTS, 900))


@pytest.fixture(scope="module", params=["sp-bpe", "sp-unigram"])
def sentence_piece(request: pytest.FixtureRequest) -> SentencePieceModel:
    return SentencePieceModel(train(request.param, TEXTS, 900, 1), request.param)


@settings(max_examples=200, deadline=None)
@given(text=ANY_TEXT)
def test_byte_level_bpe_gives_any_unicode_back_and_both_encoders_agree(byte_level: ByteLevelModel, text: str) -> None:
    assert byte_level.decode(byte_level.encode([text])[0]) == text
    assert byte_level.first_difference([text]) is None


@settings(max_examples=200, deadline=None)
@given(text=ANY_TEXT)
def test_sentencepiece_gives_any_unicode_back(sentence_piece: SentencePieceModel, text: str) -> None:
    for given_text in (text, f"a\u2581{text}\u2581 b\0"):
        assert sentence_piece.decode(sentence_piece.encode([given_text])[0]) == given_text


@pytest.mark.parametrize("text", HARD, ids=range(len(HARD)))
def test_what_is_hard_comes_back(byte_level: ByteLevelModel, sentence_piece: SentencePieceModel, text: str) -> None:
    for model in (byte_level, sentence_piece):
        (ids,) = model.encode([text])
        assert model.decode(ids) == text
        assert not len(ids) or ids.min() > 1


@settings(max_examples=100, deadline=None)
@given(text=ANY_TEXT.filter(bool))
def test_tiktoken_is_trusted_once_it_gave_the_same_ids(byte_level: ByteLevelModel, text: str) -> None:
    byte_level.fast = None
    byte_level.encode([text])
    assert byte_level.fast is True
    assert byte_level.note is None


def test_tiktoken_is_not_trusted_where_its_ids_differ_and_that_is_said(
    byte_level: ByteLevelModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = byte_level.encode(TEXTS)
    monkeypatch.setattr(byte_level, "_encode_fast", lambda text: np.array([len(text)], np.int32))
    monkeypatch.setattr(byte_level, "fast", None)
    assert all(np.array_equal(one, other) for one, other in zip(byte_level.encode(TEXTS), expected, strict=True))
    assert byte_level.fast is False
    assert "about four times slower" in str(byte_level.note)


def test_no_text_judges_no_encoder(byte_level: ByteLevelModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_level, "fast", None)
    byte_level.encode(["", ""])
    assert byte_level.fast is None


def test_tiktokens_ids_are_those_of_tokenizers_on_real_text(byte_level: ByteLevelModel) -> None:
    assert byte_level.first_difference(TEXTS) is None
    fast = byte_level.encode(TEXTS, 2)
    byte_level.fast = False
    try:
        slow = byte_level.encode(TEXTS)
    finally:
        byte_level.fast = True
    assert all(np.array_equal(one, other) for one, other in zip(fast, slow, strict=True))


def test_a_text_that_spells_a_mark_out_is_text(byte_level: ByteLevelModel) -> None:
    (ids,) = byte_level.encode(["<|endoftext|><|padding|>"])
    assert min(ids) > 1
    assert byte_level.first_difference(["<|endoftext|>"]) is None


def test_a_million_blanks_are_encoded(byte_level: ByteLevelModel) -> None:
    text = "a" + " \t" * 500_000 + "b"
    assert byte_level.decode(byte_level.encode([text])[0]) == text


@pytest.mark.parametrize("text", [(" " * 199_999 + "x") * 4, "\n" * 200_000, "x" + " " * 200_001 + "\r\n" * 100_000])
def test_long_rows_of_blanks_are_encoded_in_a_moment_by_either_encoder(byte_level: ByteLevelModel, text: str) -> None:
    began = time.process_time()
    (ids,) = byte_level.encode([text])
    assert time.process_time() - began < 10
    assert byte_level.decode(ids) == text


def test_a_hundred_thousand_marks_that_sentencepiece_takes_for_spaces_are_encoded_in_a_moment(
    sentence_piece: SentencePieceModel,
) -> None:
    text, began = "\u2581 " * 100_000, time.process_time()
    (ids,) = sentence_piece.encode([text])
    assert time.process_time() - began < 5  # one whose time grows with the square of them takes more than a minute
    assert sentence_piece.decode(ids) == text


def test_wordpiece_keeps_known_words_and_loses_the_blanks_between_them(word_piece: WordPieceModel) -> None:
    (ids,) = word_piece.encode(["class  Name\n\tvalue"])
    assert word_piece.decode(ids) == "class Name value"
    assert not word_piece.lossless


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_text_trains_the_same_model_in_another_process_on_other_threads(kind: TokenizerKind) -> None:
    command = [sys.executable, "-c", PROBE.format(kind=kind)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
    assert told == hashlib.sha256(train(kind, TEXTS, 900, 2)).hexdigest()


@pytest.mark.parametrize("kind", KINDS)
def test_a_vocabulary_larger_than_the_text_supports_is_refused(kind: TokenizerKind) -> None:
    with pytest.raises(InvalidDataError, match=r"a vocabulary of 9,000 cannot be trained .*model\.vocab_size"):
        train(kind, ["a short text"], 9000, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_no_tokenizer_is_named(kind) -> None:
    with pytest.raises(InvalidDataError, match=r"bad\.json: no "):
        text_model(kind, b"{}", str(Path("bad.json")))


@pytest.mark.parametrize("kind", KINDS)
def test_a_tokenizer_file_gives_the_same_tokenizer_back(tmp_path: Path, kind: TokenizerKind) -> None:
    data = train(kind, TEXTS, 900, 1)
    write_tokenizer(tmp_path / "t", kind, data)
    found = load_tokenizer(tmp_path / "t")
    assert (found.kind, found.vocab_size, found.lossless) == (kind, 900, kind in LOSSLESS)
    assert found.lossless == (found.note is None)
    assert (tmp_path / "t").read_bytes().split(b"\n", 1)[1] == data
    assert np.array_equal(found.encode(TEXTS[:1])[0], text_model(kind, data, "t").encode(TEXTS[:1])[0])


def test_a_changed_cut_or_missing_tokenizer_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t"
    with pytest.raises(InvalidDataError, match=r"t: cannot be read \(No such file"):
        load_tokenizer(path)
    write_tokenizer(path, "byte-bpe", train("byte-bpe", TEXTS, 900, 1))
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(InvalidDataError, match=r"t: its data has SHA-256 .* it was changed; train it anew"):
        load_tokenizer(path)
    path.write_bytes(whole.replace(b'"vocab_size":900', b'"vocab_size":901', 1))
    with pytest.raises(InvalidDataError, match=r"t: it has 900 entries and says 901"):
        load_tokenizer(path)
    for header in (b"", b"{}", whole.replace(b"tokenizer/1", b"tokenizer/9", 1), whole.split(b"\n", 1)[1]):
        path.write_bytes(header)
        with pytest.raises(InvalidDataError, match=r"t: its first line tells of no tokenizer"):
            load_tokenizer(path)


def test_a_tokenizer_that_is_none_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError):
        write_tokenizer(tmp_path / "t", "byte-bpe", b"{}")
    assert not list(tmp_path.iterdir())
