import math
import os
import shutil
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
from tests.runner.checkpoints.damage import flip
from tests.runner.conftest import ROOT, TEXTS, sources


def silent(_text: str) -> None:
    pass


def tokens(root: Path, prefix: str) -> list[np.ndarray]:
    dataset = IndexedDataset(str(root / prefix))
    return [np.array(dataset[i]) for i in range(len(dataset))]  # copies: its views die with it


def test_documents_are_whole_and_held_out_ones_are_not_trained_on(data: tuple[Path, Prepared]) -> None:
    root, prepared = data
    tokenizer = Tokenizer(root / prepared.tokenizer)
    texts = {path.read_text("utf-8") for path in (TEXTS / "code").glob("*.txt")}
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


def test_a_finished_preparation_is_taken_as_it_is(tmp_path: Path) -> None:
    plan = tiny.plan(steps=4, sources=sources(4))
    folder = JobFolder(tmp_path)
    folder.create(plan)
    first = prepare(folder, plan, ROOT, tmp_path, silent)
    said: list[str] = []
    assert prepare(folder, plan, ROOT, tmp_path, said.append) == first
    assert not said, "nothing was done again"


def files(root: Path) -> dict[str, bytes]:
    """All that a training reads."""
    paths = [path for path in (root / "data").iterdir() if path.is_file() and path.name != "manifest.json"]
    return {path.name: path.read_bytes() for path in paths}


@pytest.mark.parametrize("also_dealt_from", [False, True])
@pytest.mark.parametrize("damage", [lambda path: flip(path, 40, 3), lambda path: os.truncate(path, 20)])
@pytest.mark.parametrize("ending", [".bin", ".idx", "tokenizer.tok"])
def test_damaged_data_is_found_named_and_written_anew_to_the_same_bytes(
    data: tuple[Path, Prepared], tmp_path: Path, damage, ending: str, also_dealt_from: bool
) -> None:
    plan, folder = tiny.plan(steps=12, sources=sources(12)), JobFolder(tmp_path / "run")
    shutil.copytree(data[0], folder.path, ignore=shutil.ignore_patterns("cache"))
    whole, prefix = files(folder.path), data[1].sources[0].train_prefix
    path = folder.path / (data[1].tokenizer if ending.endswith(".tok") else prefix + ending)
    damage(path)
    if also_dealt_from and not ending.endswith(".tok"):
        damage(next(folder.data_path.glob(f"work/code/tokens-*/*{ending}")))
    said: list[str] = []
    mended = prepare(folder, plan, ROOT, tmp_path / "cache", said.append)
    assert mended.sources == data[1].sources
    assert mended.event.tokenizer_sha256 == data[1].event.tokenizer_sha256
    assert files(folder.path) == whole
    assert path.name in said[0]
    assert prepare(folder, plan, ROOT, tmp_path / "cache", silent) == mended


def test_a_damaged_manifest_is_written_anew(data: tuple[Path, Prepared], tmp_path: Path) -> None:
    plan, folder = tiny.plan(steps=12, sources=sources(12)), JobFolder(tmp_path / "run")
    shutil.copytree(data[0], folder.path, ignore=shutil.ignore_patterns("cache"))
    manifest = folder.data_path / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:100])
    assert prepare(folder, plan, ROOT, tmp_path / "cache", silent).sources == data[1].sources


def test_a_source_too_small_for_one_sequence_is_told_with_numbers(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    for i, words in enumerate(["one two three", "four five six"]):
        (tmp_path / "texts" / f"{i}.txt").write_text(words)
    small = sources(4)[1].model_copy(update={"name": "small", "path": "texts/*.txt"})
    here = sources(4)[0].model_copy(update={"path": str(TEXTS / "code/*.txt")})
    plan = tiny.plan(steps=4, sources=[here, small])
    folder = JobFolder(tmp_path / "run")
    folder.create(plan)
    with pytest.raises(SixndError, match=r"source 'small' holds 2 documents: .* needs at least 33"):
        prepare(folder, plan, tmp_path, tmp_path, silent)
