"""What else a spec may ask: a loss, a life of serving, data that repeats, compute counted exactly."""

import pytest

from sixnd.planner.plan import make_plan
from sixnd.specs import catalog
from sixnd.specs.errors import ContradictionError, InfeasibleError
from sixnd.specs.laws import NamedLaw
from tests.planner.building import spec

ONE_SOURCE = {"sources": [{"name": "web"}]}


def plan(budget, **parts):
    return make_plan(spec(budget, "64 x h100-sxm", **parts))


def decision(made, what):
    return next(d for d in made.decisions if d.what == what)


def test_a_target_loss_is_reached_with_no_more_compute_than_a_budget_for_it():
    asked = plan({"loss": 2.3})
    assert asked.estimates.loss.value <= 2.3
    spent = plan({"compute": asked.budget.compute_flops})
    assert spent.estimates.loss.value == pytest.approx(asked.estimates.loss.value, rel=1e-3)


def test_a_lower_target_costs_more():
    assert plan({"loss": 2.2}).budget.compute_flops > plan({"loss": 2.3}).budget.compute_flops


def test_a_pinned_model_reaches_the_loss_by_more_tokens():
    small, free = plan({"loss": 2.3}, model={"params": 1e9}), plan({"loss": 2.3})
    assert small.model.params < free.model.params
    assert small.data.tokens > free.data.tokens
    assert small.estimates.loss.value <= 2.3


@pytest.mark.parametrize("parts", [{}, {"model": {"params": 1e9}}, {"data": {**ONE_SOURCE, "tokens": 1e9}}])
def test_a_loss_that_nothing_reaches_is_refused_with_the_irreducible_one(parts):
    with pytest.raises(InfeasibleError, match=r"1\.8172"):
        plan({"loss": 1.9 if parts else 1.8}, **parts)


def test_a_model_that_will_serve_much_is_planned_smaller_and_trained_longer():
    free = plan({"compute": 1e22})
    serving = plan({"compute": 1e22}, inference={"output_tokens": 1e13})
    assert serving.model.params < free.model.params / 1.5
    assert serving.data.tokens > free.data.tokens * 1.5
    assert serving.budget.compute_flops == pytest.approx(free.budget.compute_flops, rel=0.01)
    assert "Sardana" in decision(serving, "model.params").source


def test_slow_and_dear_serving_makes_the_model_smaller_still():
    sizes = [
        plan({"compute": 1e22}, inference={"output_tokens": 1e12, **more}).model.params
        for more in ({}, {"output_mfu": 0.05}, {"output_mfu": 0.05, "price_usd_per_accelerator_hour": 20.0})
    ]
    assert sizes[0] > sizes[1] > sizes[2]


def test_repeated_data_is_worth_less_and_the_plan_says_how_much():
    endless = plan({"compute": 1e22}, data=ONE_SOURCE)
    limited = plan({"compute": 1e22}, data={"sources": [{"name": "web", "unique_tokens": 2e10}]})
    worth = limited.estimates.tokens_worth
    assert endless.estimates.tokens_worth is None
    assert 2e10 < worth.value < limited.data.tokens
    assert worth.low < worth.value < worth.high
    assert limited.estimates.loss.value > endless.estimates.loss.value
    assert any("worth" in warning for warning in limited.warnings)


def test_a_source_read_often_is_not_saved_by_a_large_one_beside_it():
    sources = [{"name": "web", "weight": 1}, {"name": "code", "weight": 1}]
    even, skewed = (
        plan(
            {"compute": 1e22},
            data={"sources": [s | {"unique_tokens": u} for s, u in zip(sources, unique, strict=True)]},
        )
        for unique in ((5e10, 5e10), (1e9, 9.9e10))
    )
    assert skewed.estimates.tokens_worth.value / skewed.data.tokens < even.estimates.tokens_worth.value / (
        even.data.tokens
    )


def test_compute_counted_exactly_buys_fewer_tokens_of_the_same_model():
    conventional = plan({"compute": 1e21}, model={"params": 1e9})
    exact = plan({"compute": 1e21, "counting": "exact"}, model={"params": 1e9})
    assert exact.data.tokens * exact.model.flops_per_token == pytest.approx(1e21, rel=0.01)
    assert exact.data.tokens < conventional.data.tokens


def test_a_law_of_one_s_own_plans_like_a_catalog_entry():
    law = catalog.planning_law("hoffmann-2022")
    own = plan({"compute": 1e21}, law=NamedLaw(name="ours", law=law.law).plain())
    same = plan({"compute": 1e21}, law="hoffmann-2022")
    assert own.law == "ours"
    assert own.model == same.model
    assert own.law_choices[0].law == "ours"


def test_a_law_with_two_digit_exponents_is_warned_about():
    assert any("two-digit" in w for w in plan({"compute": 1e21}, law="hoffmann-2022-rounded").warnings)


def test_a_loss_and_hours_that_do_not_belong_together_contradict():
    with pytest.raises(ContradictionError, match=r"budget\.loss"):
        plan({"loss": 2.0, "time": "1 h"})
