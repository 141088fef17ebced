"""Adapters in a plan: what learns, what it costs and keeps, and why; frozen weights cost no gradient."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.planner.explain import explain, explainable
from sixnd.planner.hyperparameters import LARGEST_RATE
from sixnd.planner.layout import step_time
from sixnd.planner.lora import Adapters
from sixnd.planner.machine import machine_of
from sixnd.planner.memory import peak_memory
from sixnd.planner.model_flops import training_flops
from sixnd.planner.plan import make_plan
from sixnd.planner.rules import Setting
from sixnd.planner.transformer import Transformer
from sixnd.specs.budget import BudgetSpec, Shape
from sixnd.specs.errors import ContradictionError
from sixnd.specs.lora import TARGETS
from tests.planner.building import layout

SHAPE = Shape(layers=32, hidden=4096, heads=32, kv_heads=8, ffn=14336)
LLAMA = Transformer.of_shape(SHAPE, 128_256, 4096, tied=False)
ADAPTED = replace(LLAMA, adapters=Adapters(16, TARGETS))


def spec(lora: dict[str, object] | None, **more: object) -> BudgetSpec:
    origin = {"kind": "llama", "name": "base", "sha256": "0" * 64}
    continual = {"base": "base", "replay": 0.0, "peak_learning_rate": 3e-4, "origin": origin, "lora": lora}
    return BudgetSpec.model_validate(
        {
            "version": "budget/1",
            "name": "adapted",
            "budget": {"compute": "1e20 FLOPs"},
            "cluster": {"accelerators": "8 x h100-sxm"},
            "model": {"shape": SHAPE.plain(), "vocab_size": 128_256, "tied_embeddings": False},
            "data": {"sources": [{"name": "code", "path": "*.txt"}]},
            "continual": continual,
            **more,
        }
    )


MACHINE = machine_of(spec({}))


def test_a_frozen_matrix_has_no_gradient_so_a_token_costs_4n_and_6_of_what_learns():
    counted = training_flops(LLAMA.architecture, LLAMA.sequence, "causal", adapters=ADAPTED.adapters)
    forward, scores = sum(counted.forward.values()), counted.forward["scores"]
    learning = ADAPTED.learning
    assert counted.forward["adapters"] == 2 * learning
    assert counted.model == pytest.approx(2 * forward + scores + 2 * learning)
    assert ADAPTED.convention_flops == 4 * LLAMA.params + 6 * learning
    assert ADAPTED.training_flops / LLAMA.training_flops == pytest.approx(2 / 3, rel=0.06)


@given(st.integers(1, 64), st.sampled_from([1, 2, 4, 8]), st.sets(st.sampled_from(TARGETS), min_size=1))
def test_ranks_hold_one_half_of_each_adapter_between_them_and_the_other_whole(rank, tensor, targets):
    adapters = Adapters(rank, tuple(sorted(targets)))
    on_rank = float(adapters.layer_params(LLAMA.architecture, np.array([tensor]))[0])
    whole = adapters.params(LLAMA.architecture) / LLAMA.layers
    halves = sum(m.inputs if m.splits_outputs else m.outputs for m in adapters.matrices(LLAMA.architecture)) * rank
    assert on_rank == pytest.approx((whole - halves) / tensor + halves)


def test_gradients_and_optimizer_are_the_adapters_alone_and_weights_are_all():
    found = peak_memory(ADAPTED, layout(data=8), MACHINE, 64)
    assert found.parameters == 2 * (LLAMA.params + ADAPTED.learning)
    assert found.gradients == 4 * ADAPTED.learning
    assert found.optimizer == 12 * ADAPTED.learning / 8
    whole = peak_memory(LLAMA, layout(data=8), MACHINE, 64)
    assert found.activations < whole.activations, "no weight's gradient passes through"


def test_a_higher_rank_costs_more_memory_and_time_and_all_weights_most_memory():
    models = [replace(LLAMA, adapters=Adapters(rank, TARGETS)) for rank in (8, 64, 512)]
    held = [peak_memory(m, layout(tensor=2, data=4), MACHINE, 64) for m in [*models, LLAMA]]
    totals = [one.parameters + one.gradients + one.optimizer for one in held]
    assert totals == sorted(totals)
    seconds = [step_time(Setting(m, MACHINE, 64), layout(tensor=2, data=4)) for m in models]
    assert [s.compute for s in seconds] == sorted(s.compute for s in seconds)
    whole = step_time(Setting(LLAMA, MACHINE, 64), layout(tensor=2, data=4))
    assert seconds[0].compute < whole.compute
    share = models[0].learning / LLAMA.params
    assert seconds[0].optimizer == pytest.approx(share * whole.optimizer)


def test_a_plan_says_what_learns_at_which_rate_and_why():
    plan, whole = make_plan(spec({"rank": 32})), make_plan(spec(None))
    lora = plan.continual.lora
    assert plan.model.architecture is None, "it stays a model of model.shape, which the runner trains"
    assert (lora.rank, lora.alpha, tuple(lora.targets)) == (32, 64, TARGETS)
    assert lora.params == replace(LLAMA, adapters=Adapters(32, TARGETS)).learning
    assert plan.model.flops_per_token < 0.72 * whole.model.flops_per_token
    assert plan.data.tokens > 1.3 * whole.data.tokens, "the same compute trains on more"
    assert whole.training.learning_rate == pytest.approx(1.5e-4)
    assert plan.training.learning_rate == pytest.approx(1.5e-3)
    told = {decision.what: decision for decision in plan.decisions}
    assert f"{lora.params:,} parameters learn" in told["continual.lora"].value
    assert "10 times the rate of all weights" in told["training.learning_rate"].reason
    assert "(4N + 6n)" in told["model.flops_per_token"].reason
    assert "continual.lora" not in {decision.what for decision in whole.decisions}


def test_an_explanation_derives_what_the_plan_says():
    plan = make_plan(spec({"rank": 32}))
    for name in explainable(plan):
        assert explain(plan, name).steps, name
    for name in ("memory_bytes", "step_time_s", "mfu", "hfu"):
        last = explain(plan, name).steps[-1].value
        assert last == pytest.approx(getattr(plan.estimates, name).value), name
    told = {step.step: step.value for step in explain(plan, "model.flops_per_token").steps}
    assert told["training FLOPs a token"] == pytest.approx(plan.model.flops_per_token)
    spent = {step.step: step.value for step in explain(plan, "compute").steps}
    assert spent["C"] == pytest.approx(ADAPTED.convention_flops * plan.data.tokens, rel=0.01)


def test_a_rate_that_is_given_is_taken_as_it_is_and_a_rate_that_follows_is_cut():
    given_rate = make_plan(spec({}, training={"learning_rate": 2e-4}))
    assert given_rate.training.learning_rate == 2e-4
    times = make_plan(spec({"learning_rate_times": 1000}))
    assert times.training.learning_rate == LARGEST_RATE
    assert "is cut to 0.01" in {d.what: d for d in times.decisions}["training.learning_rate"].reason


def test_compute_and_tokens_that_disagree_are_told_by_what_adapters_cost():
    with pytest.raises(ContradictionError, match=r"\(4 × 8\.037e\+09 parameters \+ 6 × 3\.565e\+07 of adapters\)"):
        make_plan(spec({}, data={"sources": [{"name": "code", "path": "*.txt"}], "tokens": 1e9}))
    tokens = make_plan(spec({})).data.tokens
    assert {s.step: s.value for s in explain(make_plan(spec({})), "tokens").steps}["D affordable"] >= tokens


def test_a_rank_that_is_not_low_is_refused_at_its_place():
    with pytest.raises(ContradictionError, match="a rank of 4096 is not low") as refused:
        make_plan(spec({"rank": 4096}))
    assert refused.value.problem.path == ("continual", "lora", "rank")


@pytest.mark.parametrize("lora", [{"targets": []}, {"targets": ["attention", "attention"]}, {"alpha": 0}, {"rank": 0}])
def test_adapters_that_are_none_are_refused(lora):
    with pytest.raises(ValueError, match=r"continual\.lora"):
        spec(lora)
