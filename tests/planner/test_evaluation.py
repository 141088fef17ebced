"""When the model in training is measured, and what it costs."""

import pytest

from sixnd.planner.evaluation import cost_share
from sixnd.planner.plan import make_plan
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import InfeasibleError
from sixnd.specs.plan import Plan

TASKS = ["cloze", "choice", "brackets"]


def plan(**evaluation: object) -> Plan:
    data = {"sources": [{"name": name, "path": f"{name}/*.txt", "unique_tokens": "1B tokens"} for name in "abc"]}
    return make_plan(
        BudgetSpec.model_validate(
            {
                "version": "budget/1",
                "name": "evaluated",
                "budget": {"compute": "1e17 FLOPs"},
                "cluster": {"accelerators": "1 x h100-sxm"},
                "data": data,
                "evaluation": evaluation,
            }
        )
    )


def step_tokens(made: Plan) -> int:
    return made.training.global_batch * made.model.sequence_length


def test_sources_are_measured_on_about_as_much_as_the_blend_unless_the_spec_says() -> None:
    assert plan().evaluation.source_batches == 3  # ⌈8 / 3⌉
    assert plan(source_batches=5).evaluation.source_batches == 5


def test_without_tasks_nothing_of_them_is_planned() -> None:
    made = plan()
    assert (made.evaluation.tasks, made.evaluation.task_steps, made.evaluation.items) == ([], [], 0)
    assert not [each for each in made.decisions if each.what == "evaluation.tasks"]


def test_tasks_are_answered_at_every_validation_and_at_the_end() -> None:
    made = plan(tasks=TASKS)
    every, steps = made.evaluation.every_steps, made.training.steps
    assert made.evaluation.task_steps == sorted({*range(every, steps + 1, every), steps})


def test_tokens_asked_for_are_reached_by_the_first_step_that_has_them() -> None:
    base = plan()
    tokens = step_tokens(base)
    made = plan(tasks=TASKS, at=[f"{int(2.5 * tokens)} tokens", f"{10 * tokens} tokens", "900T tokens"])
    assert made.evaluation.task_steps == [3, 10, made.training.steps]
    told = next(each for each in made.decisions if each.what == "evaluation.tasks")
    assert "1 of evaluation.at lie beyond" in told.reason


def test_an_interval_of_tokens_is_kept_without_drift() -> None:
    base = plan()
    tokens, steps = step_tokens(base), base.training.steps
    found = plan(tasks=TASKS, every=f"{25.5 * tokens:.0f} tokens").evaluation.task_steps
    assert found[:4] == [26, 51, 77, 102]
    assert found[-1] == steps


def test_answering_too_often_is_infeasible() -> None:
    with pytest.raises(InfeasibleError, match=r"raise evaluation\.every"):
        plan(tasks=TASKS, every="10 tokens")


def test_what_is_measured_changes_no_model() -> None:
    assert plan(tasks=TASKS, source_batches=1).fingerprint() == plan().fingerprint()


def test_the_cost_is_that_of_forward_passes() -> None:
    made = plan(every_steps=10_000_000, batches=6, source_batches=2)
    measured = (6 + 2 * 3) * step_tokens(made)
    assert cost_share(made.evaluation, 3, made.training, made.model.sequence_length) == pytest.approx(
        measured / 3 / made.data.tokens
    )


def test_evaluations_that_cost_much_are_warned_of() -> None:
    assert any("evaluation: forward passes" in warning for warning in plan(tasks=TASKS, items=10_000).warnings)
    assert not any("evaluation: forward" in warning for warning in plan(tasks=TASKS, items=10).warnings)
