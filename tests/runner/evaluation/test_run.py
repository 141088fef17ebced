"""Evaluations inside real trainings: they change no loss, and say the same on every layout."""

import pytest

from sixnd.runner.evaluation.items import read_items
from sixnd.specs.evaluation_record import SourceLosses, TaskScores, TasksWritten
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord
from tests.runner import tiny
from tests.runner.conftest import Train, sources

TASKS = ["choice", "arithmetic", "copying", "induction", "brackets", "cloze"]
STEPS = 4

pytestmark = pytest.mark.integration


def plan(*, evaluated: bool = True, **degrees: object) -> Plan:
    made = tiny.plan(tiny.layout(**degrees), steps=STEPS, sources=sources(12), checkpoint_every=STEPS)
    asked = {"source_batches": 2, "tasks": TASKS, "task_steps": [2, STEPS], "items": 20}
    return made.model_copy(update={"evaluation": made.evaluation.model_copy(update=asked if evaluated else {})})


def last(record: RunRecord) -> tuple[SourceLosses, TaskScores]:
    return record.source_losses()[-1], record.task_scores()[-1]


def test_evaluating_changes_no_loss(train: Train) -> None:
    path, record = train(plan(), "evaluated")
    _, bare = train(plan(evaluated=False), "bare")
    assert [step.loss for step in record.steps()] == [step.loss for step in bare.steps()]
    assert [each.loss for each in record.validations()] == [each.loss for each in bare.validations()]
    assert not bare.source_losses()
    assert not bare.task_scores()
    assert [each.step for each in record.source_losses()] == [3, STEPS]
    assert [each.step for each in record.task_scores()] == [2, STEPS]
    written = record.last(TasksWritten)
    assert written.sha256 == read_items(path / written.path).sha256


def test_every_layout_measures_the_same(train: Train) -> None:
    losses, answers = last(train(plan(), "one")[1])
    for name, degrees in {
        "TP2-PP2-DP2": {"tensor": 2, "pipeline": 2, "data": 2},
        "PP2-VPP3": {"pipeline": 2, "virtual_pipeline": 3, "embedding_as_layer": True},
        "TP2-CP2": {"tensor": 2, "context": 2},
    }.items():
        found, answered = last(train(plan(**degrees), name)[1])
        for mine, theirs in zip(found.sources, losses.sources, strict=True):
            assert (mine.tokens, mine.bytes) == (theirs.tokens, theirs.bytes)
            assert mine.bits_per_byte == pytest.approx(theirs.bits_per_byte, rel=1e-5), f"{name}: {mine.name}"
        for score, expected in zip(answered.scores, answers.scores, strict=True):
            assert score.discrete == expected.discrete, f"{name}: {score.task}"
            for one, other in zip(score.continuous, expected.continuous, strict=True):
                assert one.value == pytest.approx(other.value, rel=1e-5, abs=1e-9), f"{name}: {score.task}, {one.name}"
