import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from megatron.core.datasets.indexed_dataset import IndexedDataset

from sixnd.runner.job import JobFolder
from sixnd.runner.prepare import Prepared, prepare
from sixnd.runner.tokenizers.tokenizer import END_OF_DOCUMENT, Tokenizer
from sixnd.specs.errors import SixndError
from tests.runner import tiny
from tests.runner.conftest import ROOT, sources


def silent(_text: str) -> None:
    pass


def tokens(root: Path, prefix: str) -> list[np.ndarray]:
    dataset = IndexedDataset(str(root / prefix))
    return [np.array(dataset[i]) for i in range(len(dataset))]  # copies: its views die with it


def test_documents_are_whole_and_held_out_ones_are_not_trained_on(data: tuple[Path, Prepared]) -> None:
    root, prepared = data
    tokenizer = Tokenizer(root / prepared.tokenizer)
    texts = {path.read_text("utf-8") for path in (ROOT / "specs").glob("*.py")}
    source = prepared.sources[0]
    train = {tokenizer.detokenize(ids[:-1]) for ids in tokens(root, source.train_prefix)}
    held_out = {tokenizer.detokenize(ids[:-1]) for ids in tokens(root, source.validation_prefix)}
    assert train | held_out <= texts
    assert not train & held_out
    assert all(ids[-1] == END_OF_DOCUMENT for ids in tokens(root, source.train_prefix))


def test_enough_tokens_are_taken_and_every_file_is_named_by_its_content(data: tuple[Path, Prepared]) -> None:
    root, prepared = data
    for planned, source, told in zip(sources(12), prepared.sources, prepared.event.sources, strict=True):
        count = sum(len(ids) for ids in tokens(root, source.train_prefix))
        assert count == told.train_tokens >= planned.tokens
        assert tokens(root, source.train_prefix)[0].dtype == np.uint16
        assert len(source.train_prefix.rsplit("-", 1)[1]) == 12


def test_the_unigram_loss_is_that_of_token_frequencies_on_the_held_out_blend(data: tuple[Path, Prepared]) -> None:
    root, prepared = data
    train: Counter[int] = Counter()
    seen, vocabulary, loss = 0, tiny.VOCABULARY, 0.0
    for source in prepared.sources:
        ids = np.concatenate(tokens(root, source.train_prefix))
        seen += len(ids)
        for token, count in Counter(ids.tolist()).items():
            train[token] += source.weight * count / len(ids)
    for source in prepared.sources:
        held_out = np.concatenate(tokens(root, source.validation_prefix)).tolist()
        nats = [-math.log((train[token] * seen + 1) / (seen + vocabulary)) for token in held_out]
        loss += source.weight * sum(nats) / len(nats)
    assert prepared.event.unigram_loss == pytest.approx(loss, rel=1e-9)
    assert prepared.event.unigram_loss < math.log(vocabulary)


def test_a_finished_preparation_is_taken_as_it_is_and_a_damaged_one_done_again(tmp_path: Path) -> None:
    plan = tiny.plan(steps=4, sources=sources(4))
    folder = JobFolder(tmp_path)
    folder.create(plan)
    first = prepare(folder, plan, ROOT, tmp_path, silent)

    said: list[str] = []
    assert prepare(folder, plan, ROOT, tmp_path, said.append) == first
    assert not said, "nothing was done again"

    damaged = tmp_path / f"{first.sources[0].train_prefix}.bin"
    damaged.write_bytes(damaged.read_bytes()[:-10])
    mended = prepare(folder, plan, ROOT, tmp_path, said.append)
    assert said
    assert mended.sources == first.sources
    assert mended.event.tokenizer_sha256 == first.event.tokenizer_sha256


def test_a_source_too_small_for_one_sequence_is_told_with_numbers(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    for i, words in enumerate(["one two three", "four five six"]):
        (tmp_path / "texts" / f"{i}.txt").write_text(words)
    small = sources(4)[1].model_copy(update={"name": "small", "path": "texts/*.txt"})
    here = sources(4)[0].model_copy(update={"path": str(ROOT / "specs/*.py")})
    plan = tiny.plan(steps=4, sources=[here, small])
    folder = JobFolder(tmp_path / "run")
    folder.create(plan)
    with pytest.raises(SixndError, match=r"source 'small' holds 2 documents: .* needs at least 33"):
        prepare(folder, plan, tmp_path, tmp_path, silent)
