import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.runner.indexed import token_dtype
from sixnd.runner.tokenizers.file import write_tokenizer
from sixnd.runner.tokenizers.text_models import END_OF_DOCUMENT
from sixnd.runner.tokenizers.tokenizer import Tokenizer
from sixnd.runner.tokenizers.training import train
from tests.runner.conftest import ROOT

TEXTS = [path.read_text("utf-8") for path in sorted((ROOT / "specs").glob("*.py"))]


@pytest.fixture(scope="module", params=["byte-bpe", "sp-bpe", "sp-unigram"])
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer"
    write_tokenizer(path, request.param, train(request.param, TEXTS, 600, 1))
    return Tokenizer(path)


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_unchanged(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.detokenize(tokenizer.tokenize(text)) == text


def test_code_comes_back_with_its_indentation_and_line_ends(tokenizer: Tokenizer) -> None:
    for text in TEXTS:
        assert tokenizer.detokenize(tokenizer.tokenize(text)) == text


def test_documents_end_with_their_mark_in_the_type_that_megatron_stores(tokenizer: Tokenizer) -> None:
    assert tokenizer.vocab_size == 600
    documents = tokenizer.encode_documents(["def f(): pass", "a\u2581b"], 2)
    for ids, text in zip(documents, ["def f(): pass", "a\u2581b"], strict=True):
        assert ids.dtype == token_dtype(600) == np.uint16
        assert ids[-1] == END_OF_DOCUMENT == tokenizer.eod
        assert ids[:-1].tolist() == tokenizer.tokenize(text)
    assert tokenizer.pad != tokenizer.eod


def test_every_entry_has_a_piece(tokenizer: Tokenizer) -> None:
    assert set(tokenizer.inv_vocab) == set(range(600))
    assert len(tokenizer.vocab) == 600
