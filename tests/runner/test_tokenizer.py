from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.runner.tokenizer import END_OF_DOCUMENT, Tokenizer, train_tokenizer
from sixnd.specs.errors import SixndError
from tests.runner.conftest import ROOT

TEXTS = [path.read_text("utf-8") for path in sorted((ROOT / "specs").glob("*.py"))]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.model"
    train_tokenizer(TEXTS, 600, path, 1)
    return Tokenizer(path)


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0\u2581")))
def test_any_text_comes_back_unchanged(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.detokenize(tokenizer.tokenize(text)) == text


def test_code_comes_back_with_its_indentation_and_line_ends(tokenizer: Tokenizer) -> None:
    for text in TEXTS:
        assert tokenizer.detokenize(tokenizer.tokenize(text)) == text


def test_the_vocabulary_has_the_size_asked_for_and_documents_end_with_their_mark(tokenizer: Tokenizer) -> None:
    assert tokenizer.vocab_size == 600
    (ids,) = tokenizer.encode_documents(["def f(): pass"], 1)
    assert ids[-1] == END_OF_DOCUMENT == tokenizer.eod
    assert tokenizer.pad != tokenizer.eod


def test_the_same_text_trains_the_same_tokenizer(tmp_path: Path) -> None:
    for name in ("one", "two"):
        train_tokenizer(TEXTS, 600, tmp_path / name, 2)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_vocabulary_larger_than_the_text_supports_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(SixndError, match=r"a vocabulary of 9000 cannot be trained .* smaller model\.vocab_size"):
        train_tokenizer(["a short text"], 9000, tmp_path / "model", 1)
