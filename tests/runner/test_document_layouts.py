"""Attention that ends with the document, on every layout: real Megatron-core, real processes over gloo."""

import json
from pathlib import Path

import pytest

from sixnd.runner.indexed_reader import IndexedReader
from sixnd.runner.job import JobFolder
from sixnd.runner.prepare import Prepared, prepare
from sixnd.specs.evaluation_record import SourceLosses
from sixnd.specs.plan import Plan, PlannedSource
from sixnd.specs.record import RunRecord, Validation
from tests.runner import tiny
from tests.runner.conftest import TEXTS, Train
from tests.runner.test_documents import masked
from tests.runner.test_layout_parity import LAYOUTS, curve

pytestmark = pytest.mark.integration
STEPS, BRANCH = 5, 2


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Prepared]:
    """Beginnings of lines, each a document: most sequences hold several."""
    root, texts = tmp_path_factory.mktemp("short"), tmp_path_factory.mktemp("texts")
    lines = [line for path in sorted((TEXTS / "code").glob("*.txt")) for line in path.read_text("utf-8").splitlines()]
    (texts / "lines.jsonl").write_text(
        "".join(f"{json.dumps({'text': line.strip()[:24]})}\n" for line in lines if line), "utf-8"
    )
    folder, made = JobFolder(root), plan()
    folder.create(made)
    return root, prepare(folder, made, texts, root / "cache", lambda _text: None)


def plan(**degrees: object) -> Plan:
    tokens = STEPS * tiny.BATCH * tiny.LENGTH
    source = PlannedSource(
        name="short", recipe=None, path="*.jsonl", weight=1.0, tokens=tokens, unique_tokens=None, epochs=None
    )
    made = tiny.plan(tiny.layout(**degrees), steps=STEPS, sources=[source], checkpoint_every=BRANCH, keep_last=9)
    evaluation = made.evaluation.model_copy(update={"source_batches": 1})
    return masked(made.model_copy(update={"evaluation": evaluation}))


def by_source(record: RunRecord) -> list[float]:
    events = [event for event in record.of(SourceLosses) if event.step > BRANCH]
    return [source.loss for event in events for source in event.sources]


def test_every_layout_masks_the_same(train: Train, data: tuple[Path, Prepared]) -> None:
    lengths = IndexedReader(data[0] / data[1].sources[0].train_prefix).lengths
    assert lengths.mean() < tiny.LENGTH / 2, "sequences hold several documents"
    path, record = train(plan(), "one")
    start, expected = path / "checkpoints" / f"step_{BRANCH:08d}", curve(record, BRANCH + 1)
    validated = [event.loss for event in record.of(Validation) if event.step > BRANCH]
    for name, degrees in LAYOUTS.items():
        _, other = train(plan(**degrees), name, start)
        for measure, values in curve(other, BRANCH + 1).items():
            assert values == pytest.approx(expected[measure], rel=1e-5), f"{name}: {measure}"
        assert [event.loss for event in other.of(Validation)] == pytest.approx(validated, rel=1e-5), name
        assert by_source(other) == pytest.approx(by_source(record), rel=1e-5), name

    without = plan().model_copy(update={"data": plan().data.model_copy(update={"document_masks": False})})
    _, crossing = train(without, "crossing")
    assert curve(crossing)["loss"][0] != curve(record)["loss"][0]
