"""Contradictions of the section ``training``, and which of its settings make another model."""

import pytest

from sixnd.specs.budget import Training
from sixnd.specs.training_checks import training_problems
from tests.runner import tiny

ROOT = {"schedule": "inverse-square-root"}


@pytest.mark.parametrize(
    ("asked", "field", "told"),
    [
        (ROOT | {"warmup_fraction": 0.0}, "warmup_fraction", "counted in warm-ups"),
        (ROOT | {"warmup_fraction": 0.6, "decay_fraction": 0.5}, "decay_fraction", "above 1"),
        ({"schedule": "wsd", "warmup_fraction": 0.6, "decay_fraction": 0.5}, "decay_fraction", "above 1"),
    ],
)
def test_a_schedule_that_cannot_be_is_told_at_its_field(asked, field, told):
    [problem] = training_problems(Training.model_validate(asked))
    assert problem.path == ("training", field)
    assert told in problem.sentence


@pytest.mark.parametrize(
    "asked", [{}, ROOT, ROOT | {"decay_fraction": 0.0}, {"schedule": "wsd", "final_lr_fraction": 0.0}]
)
def test_a_schedule_that_can_be_is_taken(asked):
    assert training_problems(Training.model_validate(asked)) == []


def test_a_plan_of_before_keeps_its_fingerprint():
    assert (tiny.plan().fingerprint(), tiny.plan(schedule="wsd").fingerprint()) == ("02e1c90e", "39f7bffb")


def test_an_optimizer_that_cannot_be_built_is_refused_with_the_reason():
    assert Training(optimizer="adamw").optimizer == "adamw"
    with pytest.raises(ValueError, match="emerging-optimizers"):
        Training.model_validate({"optimizer": "muon"})
    with pytest.raises(ValueError, match="adamw"):
        Training.model_validate({"optimizer": "lion"})
