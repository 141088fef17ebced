"""From prose to code, really trained: what is forgotten shrinks with replay, whatever layout the base is taken on."""

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from sixnd.cli import main
from sixnd.reports.forgetting_comparison import forgetting_comparison
from sixnd.specs.continual_record import BaseTaken
from sixnd.specs.load import load_plan
from sixnd.specs.record import Launch, RunRecord, read_record
from tests.runner.conftest import TEXTS

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore:`load_state_dict` is deprecated:FutureWarning"),  # Megatron loads by it
]

_COMMON = """\
version: budget/1
name: NAME
budget: {compute: COMPUTE FLOPs}
cluster: {accelerators: 1 x cpu-2core}
training: {global_batch: 1024 tokensRATE}
evaluation: {source_batches: 4, every_steps: 20}
"""
_BASE = (
    _COMMON
    + """\
model:
  shape: {layers: 2, hidden: 64, heads: 4, kv_heads: 2, ffn: 128}
  vocab_size: 512
  sequence_length: 64
  tied_embeddings: true
data:
  sources:
    - {name: prose, path: "TEXT/*.md"}
"""
)
_CODE = (
    _COMMON
    + """\
continual:
  base: BASE
  replay: REPLAY
checkpoints: {every_steps: 10, keep_last: 9}
data:
  sources:
    - {name: code, path: "TEXT/*.py"}
"""
)


def spec(folder: Path, text: str, **filled: str) -> Path:
    for key, value in ({"RATE": ""} | filled).items():
        text = text.replace(key, value)
    path = folder / f"{filled['NAME']}.yaml"
    path.write_text(text)
    return path


def trained(path: Path, runs: Path) -> tuple[Path, RunRecord]:
    assert main(["run", str(path), "--runs-dir", str(runs), "--quiet"]) == 0
    (folder,) = (runs / path.stem).iterdir()
    return folder, read_record(folder / "record.jsonl")


def first(record: RunRecord, name: str) -> float:
    losses = record.source_losses()[0]
    assert losses.step == 0
    return next(source.loss for source in losses.sources if source.name == name)


class Base(NamedTuple):
    """A run on prose."""

    run: Path
    last: float
    """Its last loss there."""
    texts: Path
    """The text that it and the runs from it read."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    folder = tmp_path_factory.mktemp("base")
    texts = folder / "texts"
    texts.mkdir()
    for kind, suffix in (("prose", ".md"), ("code", ".py")):
        for file in (TEXTS / kind).glob("*.txt"):
            shutil.copyfile(file, texts / f"{file.stem}{suffix}")
    path = spec(folder, _BASE, NAME="prose", RATE=", learning_rate: 0.01", COMPUTE="5.1e10", TEXT=str(texts))
    run, record = trained(path, folder / "runs")
    return Base(run, record.source_losses()[-1].sources[0].loss, texts)


def code(folder: Path, base: Base, replay: str, *, compute: str = "2.6e10", name: str = "") -> Path:
    """The spec of a run from the base."""
    named = name or f"code-{replay.removesuffix('%')}"
    return spec(folder, _CODE, NAME=named, BASE=str(base.run), REPLAY=replay, COMPUTE=compute, TEXT=str(base.texts))


def test_what_is_forgotten_shrinks_with_replay(base: Base, tmp_path: Path) -> None:
    runs = []
    for replay in ("0%", "25%"):
        folder, record = trained(code(tmp_path, base, replay), tmp_path / "runs")
        assert first(record, "prose") == pytest.approx(base.last, rel=1e-5)  # the base's own held-out text
        taken = record.of(BaseTaken)
        assert [each.general for each in taken] == [["prose"]]
        runs.append((load_plan(folder / "plan.yaml"), record))
    without, with_replay = forgetting_comparison(runs).runs
    assert without.general is not None
    assert without.new is not None
    assert with_replay.general is not None
    assert without.general.change.value is not None
    assert with_replay.general.change.value is not None
    assert without.new.change.value is not None
    assert without.general.change.value > 0.1 > with_replay.general.change.value
    assert without.new.change.value < -0.3
    assert runs[0][1].validations()[0].step == 0


def test_a_base_is_taken_on_another_layout(base: Base, tmp_path: Path) -> None:
    path = code(tmp_path, base, "5%", compute="2.6e9", name="split")
    path.write_text(path.read_text().replace("1 x cpu-2core}", "2 x cpu-2core}\nlayout: {tensor: 2}"))
    _, record = trained(path, tmp_path / "runs")
    assert record.last(Launch).world_size == 2
    assert first(record, "prose") == pytest.approx(base.last, rel=1e-5)
