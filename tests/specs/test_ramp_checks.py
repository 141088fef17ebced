"""Mistakes in a spec's ramp of the batch are told with their place, all at once."""

import pytest

from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import InvalidDocumentError
from sixnd.specs.load import parse
from tests.specs.example import spec_with


def parsed(ramp: str, *more: tuple[str, str]) -> BudgetSpec:
    return parse(spec_with(("training:\n", f"training:\n  batch_ramp: {ramp}\n"), *more), "spec.yaml", BudgetSpec)


@pytest.mark.parametrize(
    "ramp",
    [
        "{start: 32k tokens, tokens: 10M tokens}",
        "{start: 32k tokens, fraction: 0.1, increment: 16k tokens, learning_rate: square-root}",
        "{stages: [{until: 2M tokens, global_batch: 32k tokens}, {until: 9M tokens, global_batch: 64k tokens}]}",
    ],
)
def test_sound_ones_are_read(ramp: str) -> None:
    assert parsed(ramp).training.batch_ramp is not None


@pytest.mark.parametrize(
    ("ramp", "said"),
    [
        ("{}", "a ramp does not say how it begins; give stages, or start"),
        ("{tokens: 10M tokens}", "a ramp does not say how it begins; give stages, or start"),
        ("{start: 32k tokens}", "give one of tokens and fraction"),
        ("{start: 32k tokens, tokens: 10M tokens, fraction: 0.1}", "give one of tokens and fraction"),
        ("{start: 10 tokens, fraction: 0.1}", "less than one sequence of 4,096"),
        ("{start: 32k tokens, fraction: 1}", "less than 1"),
        ("{stages: []}", "at least 1 item"),
        ("{stages: [{until: 2M tokens, global_batch: 1M tokens}], start: 32k tokens}", "stages say the whole ramp"),
        (
            "{stages: [{until: 2M tokens, global_batch: 64k tokens}, {until: 1M tokens, global_batch: 32k tokens}]}",
            "until must rise from stage to stage, and 1,000,000 follows 2,000,000",
        ),
        (
            "{stages: [{until: 2M tokens, global_batch: 64k tokens}, {until: 1M tokens, global_batch: 32k tokens}]}",
            "global_batch must rise from stage to stage",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_words(ramp: str, said: str) -> None:
    with pytest.raises(InvalidDocumentError) as caught:
        parsed(ramp)
    assert said in str(caught.value)


def test_the_ramp_stays_below_the_batch_and_within_the_tokens_that_the_spec_says() -> None:
    ramp = "{stages: [{until: 9B tokens, global_batch: 4M tokens}]}\n  global_batch: 2M tokens"
    with pytest.raises(InvalidDocumentError) as caught:
        parsed(ramp, ("data:\n", "data:\n  tokens: 5B tokens\n"))
    told = str(caught.value)
    assert "4,000,000 is not below its 2,000,000" in told
    assert "would take 9,000,000,000 tokens, and training reads 5,000,000,000" in told
