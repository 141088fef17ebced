"""A tokenizer of any kind gives `transformers` the ids that it gives us, and the text back from them."""

from pathlib import Path

import pytest

from sixnd.runner.export.huggingface_tokenizer import write_hf_tokenizer
from sixnd.runner.tokenizers.file import load_tokenizer, write_tokenizer
from sixnd.runner.tokenizers.training import train
from tests.runner.conftest import ROOT

TEXTS = (ROOT / "LICENSE").read_text().split("\n\n")
"""Paragraphs that do not change. SentencePiece sums a text's log-likelihoods in single precision, `tokenizers` in
double: deep inside a text of thousands of tokens they may choose otherwise where two splits differ by a hundredth."""
ODD = ["", " ", "  a  b\n\n\n c\t", "naïve 日本語 😀 12345 x=1;\r\n", "a" * 50, "end \n", "\n"]
BLANKS = "    " * 20 + "x"


@pytest.mark.parametrize("kind", ["byte-bpe", "sp-bpe", "sp-unigram", "wordpiece"])
def test_transformers_gives_the_same_ids(kind, tmp_path: Path):
    from transformers import AutoTokenizer

    write_tokenizer(tmp_path / "ours", kind, train(kind, TEXTS[:30], 400, threads=1))
    (tmp_path / "theirs").mkdir()
    write_hf_tokenizer(tmp_path / "theirs", tmp_path / "ours", 1 << 20)
    ours, theirs = load_tokenizer(tmp_path / "ours"), AutoTokenizer.from_pretrained(tmp_path / "theirs")
    for text in [*TEXTS, *ODD]:  # more than it was trained on
        ids = theirs(text)["input_ids"]
        assert ids == [int(i) for i in ours.encode([text])[0]]
        assert theirs.decode(ids) == (ours.decode(ids) if kind == "wordpiece" else text)
    assert (theirs.eos_token_id, theirs.bos_token_id, theirs.pad_token_id) == (0, 0, 1)
    assert len(theirs) == ours.vocab_size
    assert (tmp_path / "theirs" / "tokenizer.model").exists() == kind.startswith("sp-")


def test_of_equally_likely_splits_only_the_order_may_differ(tmp_path: Path):
    from transformers import AutoTokenizer

    write_tokenizer(tmp_path / "ours", "sp-unigram", train("sp-unigram", TEXTS[:30], 400, threads=1))
    (tmp_path / "theirs").mkdir()
    write_hf_tokenizer(tmp_path / "theirs", tmp_path / "ours", 1 << 20)
    theirs = AutoTokenizer.from_pretrained(tmp_path / "theirs")
    ids = theirs(BLANKS)["input_ids"]
    assert sorted(ids) == sorted(int(i) for i in load_tokenizer(tmp_path / "ours").encode([BLANKS])[0])
    assert theirs.decode(ids) == BLANKS
