import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from megatron.core.datasets.indexed_dataset import DType, IndexedDataset, IndexedDatasetBuilder

from sixnd.runner.indexed import verified, with_suffix
from sixnd.runner.tokenizers.encode import batches, encode_to
from sixnd.runner.tokenizers.text_models import END_OF_DOCUMENT, TextModel, text_model
from sixnd.runner.tokenizers.training import train
from sixnd.specs.tokenizers import TokenizerKind
from tests.runner.conftest import ROOT

TEXTS = [path.read_text("utf-8") for path in sorted((ROOT / "specs").glob("*.py"))]
KINDS: list[TokenizerKind] = ["byte-bpe", "sp-bpe", "wordpiece"]
MODELS: dict[TokenizerKind, TextModel] = {kind: text_model(kind, train(kind, TEXTS, 700, 1), kind) for kind in KINDS}


def preprocessed(prefix: Path, model: TextModel, texts: list[str]) -> None:
    """The builder's calls as Megatron-LM's tools/preprocess_data.py --append-eod makes them, a JSON line at a time."""
    builder = IndexedDatasetBuilder(str(with_suffix(prefix, ".bin")), dtype=DType.optimal_dtype(model.vocab_size))
    for line in (json.dumps({"text": text}) for text in texts):
        ids: list[int] = [int(i) for i in model.encode([json.loads(line)["text"]])[0]]
        lengths = [len(ids)] if ids else []
        if ids:
            ids.append(END_OF_DOCUMENT)
            lengths[-1] += 1
        builder.add_document(ids, lengths)
    builder.finalize(str(with_suffix(prefix, ".idx")))


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_those_of_megatrons_own_tool_byte_for_byte(tmp_path: Path, kind: TokenizerKind) -> None:
    texts = [*TEXTS, "a\u2581b\0", "\U0001f469\u200d\U0001f680", "\r\n\r\n x", "<|endoftext|>"]
    encode_to(tmp_path / "ours", MODELS[kind], texts, threads=2)
    preprocessed(tmp_path / "theirs", MODELS[kind], texts)
    for suffix in (".bin", ".idx"):
        assert (tmp_path / f"ours{suffix}").read_bytes() == (tmp_path / f"theirs{suffix}").read_bytes()


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=8))
def test_megatron_reads_every_document_back(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    prefix, model = tmp_path_factory.mktemp("encode") / "v0.1-a", MODELS["byte-bpe"]
    done = encode_to(prefix, model, texts)
    dataset = IndexedDataset(str(prefix))
    found = [np.array(dataset[i]) for i in range(len(dataset))]
    assert [model.decode(ids[:-1].tolist()) for ids in found] == texts
    assert all(ids[-1] == END_OF_DOCUMENT for ids in found)
    assert (done.documents, done.tokens) == (len(texts), sum(map(len, found)))
    assert done.bytes == sum(len(text.encode()) for text in texts)
    assert verified(prefix).tokens == done.tokens


def test_documents_that_give_no_token_are_left_out_and_counted(tmp_path: Path) -> None:
    done = encode_to(tmp_path / "a", MODELS["wordpiece"], ["import x", " \n ", "def y"])
    assert (done.documents, done.without_tokens) == (2, 1)
    assert len(IndexedDataset(str(tmp_path / "a"))) == 2


def test_progress_is_told_document_by_document_count(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    encode_to(tmp_path / "a", MODELS["byte-bpe"], ["x" * 700_000] * 3, progress=lambda *seen: told.append(seen))
    assert told == [(1, 700_000), (2, 1_400_000), (3, 2_100_000)]


@given(sizes=st.lists(st.integers(0, 30), max_size=20), most=st.integers(1, 40))
def test_a_batch_holds_no_more_than_asked_unless_one_text_does(sizes: list[int], most: int) -> None:
    texts = ["x" * size for size in sizes]
    found = list(batches(texts, most))
    assert [text for batch in found for text in batch] == texts
    assert all(len(batch) == 1 or sum(map(len, batch)) <= most for batch in found)


def test_text_is_taken_as_it_is_needed(tmp_path: Path) -> None:
    taken, written = 0, []

    def texts():
        nonlocal taken
        for _ in range(50):
            taken += 1
            yield "word " * 50_000

    encode_to(
        tmp_path / "a", MODELS["byte-bpe"], texts(), progress=lambda documents, _: written.append(taken - documents)
    )
    assert max(written) <= 1
