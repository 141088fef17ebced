"""What a spec may ask of evaluations."""

import pytest
from pydantic import ValidationError

from sixnd.specs.evaluation import TASK_ROWS, Evaluation


def test_no_task_is_answered_unless_it_is_asked_for() -> None:
    assert Evaluation().tasks == []
    assert Evaluation().source_batches is None


def test_tokens_carry_their_units() -> None:
    asked = Evaluation.model_validate({"tasks": ["cloze"], "at": ["100M tokens", "2B tokens"]})
    assert asked.at == [1e8, 2e9]
    assert Evaluation.model_validate({"tasks": ["cloze"], "every": "1M tokens"}).every == 1e6


def test_every_task_has_its_rows() -> None:
    assert Evaluation.model_validate({"tasks": list(TASK_ROWS)}).tasks == list(TASK_ROWS)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"tasks": ["cloze"], "at": ["1M tokens"], "every": "1M tokens"}, "both say when"),
        ({"every": "1M tokens"}, "mean nothing without tasks"),
        ({"at": ["1M tokens"]}, "mean nothing without tasks"),
        ({"tasks": ["cloze", "cloze"]}, "named twice"),
        ({"tasks": ["clozes"]}, "cloze"),
        ({"tasks": ["cloze"], "items": 3}, "greater than or equal to 10"),
    ],
)
def test_what_contradicts_itself_is_refused(asked: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Evaluation.model_validate(asked)
