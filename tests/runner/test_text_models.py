import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.runner.text_models import ByteLevelModel, SentencePieceModel, WordPieceModel, text_model
from sixnd.runner.tokenizer import train_tokenizer
from sixnd.runner.tokenizer_training import train_byte_level, train_word_piece
from sixnd.specs.errors import InvalidDataError
from tests.runner.conftest import ROOT

TEXTS = [path.read_text("utf-8") for path in sorted((ROOT / "specs").glob("*.py"))]
ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
PROBE = """
import hashlib, pathlib
from sixnd.runner import tokenizer_training as training
texts = [path.read_text("utf-8") for path in sorted(pathlib.Path("specs").glob("*.py"))]
print(hashlib.sha256(getattr(training, "{name}")(texts, 900)).hexdigest())
"""


@pytest.fixture(scope="module")
def byte_level() -> ByteLevelModel:
    return ByteLevelModel(train_byte_level(TEXTS, 900))


@pytest.fixture(scope="module")
def word_piece() -> WordPieceModel:
    return WordPieceModel(train_word_piece(TEXTS, 900))


@pytest.fixture(scope="module")
def sentence_piece(tmp_path_factory: pytest.TempPathFactory) -> SentencePieceModel:
    path = tmp_path_factory.mktemp("sp") / "model"
    train_tokenizer(TEXTS, 600, path, 1)
    return SentencePieceModel(path.read_bytes(), "sp-bpe")


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


def test_wordpiece_keeps_known_words_and_loses_the_blanks_between_them(word_piece: WordPieceModel) -> None:
    (ids,) = word_piece.encode(["class  Name\n\tvalue"])
    assert word_piece.decode(ids) == "class Name value"
    assert not word_piece.lossless


@pytest.mark.parametrize("train", [train_byte_level, train_word_piece])
def test_the_same_text_trains_the_same_model_in_another_process(train) -> None:
    command = [sys.executable, "-c", PROBE.format(name=train.__name__)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
    assert told == hashlib.sha256(train(TEXTS, 900)).hexdigest()


@pytest.mark.parametrize("train", [train_byte_level, train_word_piece])
def test_a_vocabulary_larger_than_the_text_supports_is_refused(train) -> None:
    with pytest.raises(InvalidDataError, match=r"a vocabulary of 9,000 cannot be trained"):
        train(["a short text"], 9000)


@pytest.mark.parametrize("kind", ["byte-bpe", "wordpiece", "sp-bpe"])
def test_a_file_that_is_no_tokenizer_is_named(kind) -> None:
    with pytest.raises(InvalidDataError, match=r"bad\.json: no "):
        text_model(kind, b"{}", str(Path("bad.json")))
