"""When the model in training is measured, and what it costs."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from sixnd.planner.evaluation_cost import readings
from sixnd.planner.explanation import Facts
from sixnd.planner.lora import Adapters
from sixnd.planner.plan import make_plan
from sixnd.planner.utilisation import forward_share
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import InfeasibleError
from sixnd.specs.plan import Plan

TASKS = ["cloze", "choice", "brackets"]
PARTS = {"budget", "training", "layout", "checkpoints", "model", "continual"}


def plan(**evaluation: object) -> Plan:
    """Of a spec whose parts are named, and whose evaluation is the rest."""
    parts = {name: evaluation.pop(name) for name in PARTS & set(evaluation)}
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
            | parts
        )
    )


def test_a_validation_of_so_many_tokens_has_the_batches_that_hold_them():
    for batch in ("1M tokens", "600k tokens"):
        made = plan(tokens="5M tokens", training={"global_batch": batch})
        assert 0 <= made.evaluation.batches * step_tokens(made) - 5e6 < step_tokens(made)


def test_batches_and_tokens_of_a_validation_are_not_both_given():
    with pytest.raises(ValidationError, match="`tokens` and `batches` both say"):
        plan(tokens="5M tokens", batches=4)


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
    """A third of a step's passes for all weights; gradients' reduction and optimizer are not in it."""
    made = plan(every_steps=10_000_000, batches=6, source_batches=2)
    parts = made.estimates.time.plain()
    passes = made.estimates.step_time_s.value - parts["optimizer"] - parts["data_parallel"]
    assert parts["optimizer"] > 0
    assert Facts(made).clock.evaluated_s == pytest.approx((6 + 2 * 3) * passes / 3)


def test_a_layer_that_runs_forward_twice_in_a_step_is_evaluated_once() -> None:
    made = plan()
    layouts = [made.layout.model_copy(update={"recompute": "full", "recompute_layers": n}) for n in (6, 1)]
    every, one = (forward_share(Facts(made).model, each) for each in layouts)
    assert 1 / 4 < every < one < 1 / 3


def test_adapters_leave_the_forward_pass_as_long_as_it_is() -> None:
    """Their step is shorter, whose frozen weights have no gradients: the forward pass is a greater share of it."""
    whole = Facts(plan()).model
    adapted = replace(whole, adapters=Adapters(8, ("attention", "feed-forward")))
    shares = [forward_share(each, plan().layout) for each in (whole, adapted)]
    assert shares[0] == pytest.approx(1 / 3)
    assert 0.4 < shares[1] <= 0.5


def test_the_wall_time_holds_every_evaluation_that_the_plan_names() -> None:
    made = plan(every_steps=7, tasks=TASKS, every="3M tokens")
    evaluation, clock = made.evaluation, Facts(made).clock
    found = readings(clock, made.training.batches, made.model.sequence_length)
    times = -(-made.training.steps // 7)
    assert [(each.what, each.times) for each in found] == [
        ("validations", times),
        ("losses by source", times),
        ("answerings of the tasks", len(evaluation.task_steps)),
    ]
    assert found[1].batches == 3 * evaluation.source_batches
    rows = evaluation.items * (1 + 4 + 3)
    assert found[2].batches == pytest.approx(rows * 128 / step_tokens(made))
    wall, goodput = made.estimates.wall_time_s.value, clock.goodput
    assert wall == pytest.approx((made.estimates.train_time_s.value + clock.evaluated_s) / goodput)


def test_a_base_is_measured_before_it_is_trained_on() -> None:
    shape = {"layers": 4, "hidden": 256, "heads": 4, "kv_heads": 4, "ffn": 768}
    origin = {"kind": "llama", "name": "base", "sha256": "0" * 64}
    continual = {"base": "base", "replay": 0.0, "peak_learning_rate": 3e-4, "origin": origin, "lora": {"rank": 8}}
    made = plan(model={"shape": shape}, continual=continual, tasks=TASKS)
    evaluation, steps = made.evaluation, made.training.steps
    found = readings(Facts(made).clock, made.training.batches, made.model.sequence_length)
    times = -(-steps // evaluation.every_steps)
    assert [each.times for each in found] == [times + 1, times + 1, len(evaluation.task_steps)]


def test_the_best_checkpoints_are_validated_where_no_validation_is_due() -> None:
    every = {"every_steps": 6}
    plain, best = (plan(every_steps=4, checkpoints=every | {"keep_best": kept}) for kept in (0, 1))
    times = [readings(Facts(each).clock, each.training.batches, 1)[0].times for each in (plain, best)]
    steps = range(1, best.training.steps + 1)
    assert times[0] == len({step for step in steps if step % 4 == 0} | {steps[-1]})
    assert times[1] == len({step for step in steps if step % 4 == 0 or step % 6 == 0} | {steps[-1]})


@pytest.mark.parametrize(
    "evaluation",
    [{}, {"batches": 64}, {"tasks": TASKS, "items": 2000}, {"tasks": TASKS, "every": "10M tokens"}],
    ids=["default", "long validations", "tasks", "tasks by tokens"],
)
@pytest.mark.parametrize(
    "ramp", [None, [{"until": "50M tokens", "global_batch": "65536 tokens"}]], ids=["no ramp", "ramp"]
)
def test_a_budget_of_time_pays_for_the_evaluations_too(evaluation: dict[str, object], ramp: object) -> None:
    training = {"global_batch": "131072 tokens", "batch_ramp": None if ramp is None else {"stages": ramp}}
    made = plan(budget={"time": "20 min"}, training=training, **evaluation)
    wall, step_s = made.estimates.wall_time_s.value, made.estimates.step_time_s.value
    another = Facts(made).clock.evaluated_s / 9  # a step more may take another validation
    assert 1200 - another - 3 * step_s < wall <= 1200


def test_a_time_that_one_step_and_its_evaluation_exceed_is_infeasible() -> None:
    with pytest.raises(InfeasibleError, match=r"lower training\.global_batch, evaluation\.batches"):
        plan(budget={"time": "1 s"}, training={"global_batch": "4M tokens"}, batches=1000)


def test_evaluations_that_cost_much_are_warned_of() -> None:
    assert any("evaluation: forward passes" in warning for warning in plan(tasks=TASKS, items=10_000).warnings)
    assert not any("evaluation: forward" in warning for warning in plan(tasks=TASKS, items=10).warnings)
