"""The card of an exported model tells what was measured, and cannot be written by the data."""

from sixnd.runner.export.model_card import model_card
from sixnd.specs.evaluation_record import (
    Measured,
    SourceLoss,
    SourceLosses,
    TaskItems,
    TaskScore,
    TaskScores,
    TasksWritten,
)
from sixnd.specs.record import DataPrepared, RunRecord, SourceData, Step, Validation
from tests.runner import tiny
from tests.runner.conftest import sources
from tests.runner.test_documents import masked


def step(number: int) -> Step:
    return Step(
        attempt=1, step=number, tokens=256 * number, loss=5.0 - number, grad_norm=1, learning_rate=1e-3,
        step_time_s=1, tokens_per_s=256, mfu=0.1, memory_bytes=1,
    )  # fmt: skip


def prepared(licence: str) -> DataPrepared:
    source = SourceData(
        name="code", documents=12, bytes=1, licences={licence: 12}, train_tokens=1, validation_tokens=1, sha256="0"
    )
    return DataPrepared(
        tokenizer_sha256="0", vocab_size=512, bytes_per_token=3, sources=[source], unigram_loss=5, seconds=1
    )


def card(licence: str = "MIT", at: int = 2) -> str:
    held_out = Validation(attempt=1, step=1, loss=3.25, tokens=512)
    record = RunRecord(events=[prepared(licence), step(1), held_out, step(2), step(3)])
    return model_card(tiny.plan(steps=6, sources=sources(6)), record, at)


def test_the_losses_are_those_of_the_exported_step():
    text = card()
    assert "training loss, step 2: 3.0000 nats per token" in text
    assert "loss on held-out text, step 1: 3.2500 nats per token, on 512 tokens" in text
    assert "2.0000" not in text, "step 3 came after it"


def test_sources_have_their_licences_and_what_is_unknown_is_said_to_be():
    text = card()
    assert "| code | 75.0% | 12 | MIT (12) |" in text
    assert "| schemas | 25.0% | unknown | unknown |" in text


def test_sources_and_tasks_are_told_with_chance_and_interval_as_of_the_exported_step():
    def scores(at: int, right: float) -> TaskScores:
        discrete = Measured(name="right", value=right, low=right - 0.1, high=right + 0.1, better="higher")
        score = TaskScore(task="copying", items=40, discrete=discrete, continuous=[discrete])
        return TaskScores(attempt=1, step=at, tokens=1, scores=[score], seconds=1)

    items = TaskItems(task="copying", items=40, discrete="the item", chance=0.25, chance_basis="four choices")
    one = SourceLoss(name="code", loss=3.5, tokens=10, bytes=30, bits_per_byte=1.683)
    record = RunRecord(
        events=[
            TasksWritten(path="items", sha256="0", tasks=[items]),
            SourceLosses(attempt=1, step=1, sources=[one], seconds=1),
            scores(2, 0.5),
            scores(3, 0.75),
        ]
    )
    text = model_card(tiny.plan(), record, 2)
    assert "| copying | 50.0% (40.0% to 60.0%) | 25.0% | 40 |" in text
    assert "| code | 3.5000 | 1.6830 |" in text
    assert "75.0%" not in text, "step 3 came after it"


def test_that_attention_ended_with_the_document_is_said_where_it_did():
    said = "attention ended with the document"
    assert said in model_card(masked(tiny.plan()), RunRecord(events=[]), 1)
    assert said not in model_card(tiny.plan(), RunRecord(events=[]), 1)


def test_without_a_measurement_no_loss_is_claimed():
    assert "Nothing was recorded." in model_card(tiny.plan(), RunRecord(events=[]), 1)


def test_a_licence_cannot_write_markup_into_the_card():
    text = card("MIT | x |\n\n# Safe\n<script>[a](http://b)")
    assert "<script>" not in text
    assert "\n# Safe" not in text
    assert text.count("\n# ") == 1
