"""Explanations: their numbers are computed anew, and come out as the plan's."""

import math

import numpy as np
import pytest

from sixnd.planner import laws
from sixnd.planner.explain import explain, explainable
from sixnd.planner.plan import make_plan
from sixnd.specs import catalog
from sixnd.specs.errors import SixndError
from tests.planner.building import spec

LAW = catalog.law("besiroglu-2024")
LIMITED = [{"name": "web", "weight": 3, "unique_tokens": 30e9}, {"name": "code", "unique_tokens": 5e9}]
SHAPE = {"layers": 24, "hidden": 2048, "heads": 16, "kv_heads": 16, "ffn": 5504}
SPECS = {
    "compute": spec({"compute": 1e21}),
    "exact compute": spec({"compute": 1e21, "counting": "exact"}),
    "money": spec({"money": 2000}),
    "time": spec({"time": "2 days"}, training={"schedule": "wsd"}),
    "inverse square root": spec({"time": "2 days"}, training={"schedule": "inverse-square-root"}),
    "loss": spec({"loss": 2.4}),
    "pinned N": spec({"compute": 1e21}, model={"params": 3e9}),
    "pinned D": spec({"compute": 1e21}, data={"tokens": 2e11}),
    "pinned D and hours": spec({"time": "2 days"}, data={"tokens": 2e11}),
    "shape": spec({"compute": 1e21}, model={"shape": SHAPE}),
    "serving": spec({"compute": 1e21}, inference={"input_tokens": 1e12, "output_tokens": 1e12, "output_mfu": 0.05}),
    "repetition": spec({"compute": 1e22}, data={"sources": LIMITED}),
    "repetition and serving": spec({"compute": 1e22}, data={"sources": LIMITED}, inference={"output_tokens": 1e12}),
    "pinned batch": spec({"compute": 1e21}, training={"global_batch": 2e6}),
    "mup": spec({"compute": 1e20}, training={"parametrization": "mup", "mup_base_width": 256, "learning_rate": 0.01}),
    "a CPU": spec({"compute": 1e14}, "2 x cpu-2core"),
}
PLANS = {name: make_plan(each) for name, each in SPECS.items()}


def values(plan, name: str) -> dict[str, float | str]:
    return {step.step: step.value for step in explain(plan, name).steps}


@pytest.mark.parametrize("kind", PLANS)
def test_the_numbers_computed_anew_are_the_plan_s(kind):
    plan = PLANS[kind]
    t, e = plan.training, plan.estimates
    assert values(plan, "N")["N"] == plan.model.params
    assert values(plan, "D")["D"] == plan.data.tokens
    assert values(plan, "C")["C"] == pytest.approx(6 * plan.model.params * plan.data.tokens)
    assert values(plan, "loss")["L"] == pytest.approx(e.loss.value, rel=1e-12)
    total = next(step for step in explain(plan, "loss").steps if step.step == "L")
    assert total.intervals["80 %"] == pytest.approx((e.loss.low, e.loss.high))
    assert values(plan, "batch")["global batch"] == t.global_batch
    peak = [value for step, value in values(plan, "lr").items() if step.startswith("peak")][-1]
    assert peak == pytest.approx(t.learning_rate, rel=1e-12)
    assert values(plan, "schedule")["warm-up"] == t.warmup_steps
    assert values(plan, "schedule")["falling"] == t.decay_steps
    assert values(plan, "flops")["training FLOPs a token"] == pytest.approx(plan.model.flops_per_token)
    assert values(plan, "vocabulary")["rows"] == plan.model.padded_vocab_size
    assert values(plan, "checkpoints")["every" if "h100" in plan.cluster.accelerator else "at least ten in a run"] == (
        plan.checkpoints.every_steps
    )
    assert values(plan, "evaluation")["every"] == plan.evaluation.every_steps


@pytest.mark.parametrize("kind", PLANS)
def test_every_estimate_is_derived_to_its_value_and_its_interval(kind):
    plan = PLANS[kind]
    for name in explainable(plan):
        if name.startswith("estimates.") and name != "estimates.loss":
            last, planned = explain(plan, name).steps[-1], getattr(plan.estimates, name.removeprefix("estimates."))
            assert last.value == pytest.approx(planned.value, rel=1e-9), name
            assert last.intervals == {"80 %": (planned.low, planned.high)}


@pytest.mark.parametrize("kind", PLANS)
def test_every_decision_and_estimate_can_be_explained_by_each_of_its_names(kind):
    plan = PLANS[kind]
    known = explainable(plan)
    assert {each.what for each in plan.decisions} < set(known)
    for field, short in known.items():
        found = explain(plan, field)
        assert found.name == field
        assert found.steps
        for step in found.steps:
            assert isinstance(step.value, str) or math.isfinite(step.value), step
        assert all(explain(plan, name) == found for name in short)


def test_the_optimum_is_hoffmann_s_closed_form():
    found = values(PLANS["compute"], "N")
    a = 0.3658 / (0.3478 + 0.3658)
    G = (0.3478 * 482.01 / (0.3658 * 2085.43)) ** (1 / (0.3478 + 0.3658))
    assert found["a"] == pytest.approx(a)
    assert found["G"] == pytest.approx(G)
    assert found["N*"] == pytest.approx(G * (1e21 / 6) ** a)
    steps = {step.step: step for step in explain(PLANS["compute"], "N").steps}
    sure = laws.params_interval(LAW, 1e21)
    assert steps["N*"].intervals["80 %"] == (sure.low, sure.high)
    low, high = steps["N*"].intervals["95 %"]
    assert low < sure.low < found["N*"] < sure.high < high
    assert "482.01" in steps["G"].formula
    assert "eq. 4" in steps["G"].source


@pytest.mark.parametrize("kind", ["compute", "money", "repetition"])
def test_the_shape_gives_little_loss_away_and_half_or_twice_its_size_more(kind):
    plan = PLANS[kind]
    found = values(plan, "N")
    around = [value for step, value in found.items() if step.startswith("L(") and step[2].isdigit()]
    own = found[f"L({plan.model.params:,})"]
    assert own == min(around)
    assert 0 <= found["loss given away by the lattice"] < 1e-3
    assert own < found["loss at 0.5×N"]
    assert own < found["loss at 2×N"]


def test_serving_s_first_order_condition_holds_at_the_n_it_gives():
    plan = PLANS["serving"]
    found = values(plan, "N")
    N, served = found["N* with serving"], found["D_inf"]
    D = 1e21 / 6 / N
    of_N, of_D = LAW.alpha * LAW.A * N**-LAW.alpha, LAW.beta * LAW.B * D**-LAW.beta
    assert of_N / of_D == pytest.approx(1 + served / (3 * D))
    assert served == pytest.approx(1e12 + 1e12 * plan.estimates.mfu.value / 0.05)
    assert found["N*"] > N


def test_repetition_is_told_with_its_epochs_and_what_they_are_worth():
    plan = PLANS["repetition"]
    found = values(plan, "D")
    assert found["epochs of web"] == pytest.approx(plan.data.sources[0].epochs)
    assert found["D is worth"] == pytest.approx(plan.estimates.tokens_worth.value)
    sizes = values(plan, "N")
    assert sizes["N* with repetition"] < sizes["N*"]


def test_a_target_loss_is_told_by_the_least_compute():
    found = values(PLANS["loss"], "C")
    best = laws.optimum(LAW, found["C*"])
    assert best.loss == pytest.approx(2.4)
    assert found["C*"] < found["C"] < 1.05 * found["C*"]


def test_a_pinned_size_tells_what_it_gives_away():
    found = explain(PLANS["pinned N"], "N")
    assert found.pinned
    assert 0 < {step.step: step.value for step in found.steps}["loss given away by the pin"] < 0.02


def test_every_published_law_of_the_comparison_is_recomputed():
    plan = PLANS["money"]
    found = values(plan, "law")
    for choice in plan.law_choices:
        name = choice.law + (" (the plan's law)" if choice.law == plan.law else "")
        assert found[name] == pytest.approx(choice.params if choice.params is not None else choice.loss)


def test_the_cheapest_layout_is_the_chosen_one():
    steps = [step for step in explain(PLANS["compute"], "layout").steps if step.formula.startswith("chosen")]
    assert [step.step for step in steps] == [PLANS["compute"].layout.label()]
    assert np.isclose(steps[0].value, PLANS["compute"].estimates.step_time_s.value)


def test_an_unknown_name_names_the_nearest_and_lists_all():
    with pytest.raises(SixndError, match=r"did you mean 'batch'\?[\s\S]*model.params, N, params"):
        explain(PLANS["compute"], "batsh")
    with pytest.raises(SixndError, match="nothing called 'mup'"):
        explain(PLANS["compute"], "mup")


@pytest.mark.parametrize("name", ["money", "time", "inverse square root"])
def test_the_steps_that_a_budget_pays_for_beside_its_evaluations_are_those_of_the_plan(name):
    assert values(PLANS[name], "D")["steps"] == PLANS[name].training.steps
