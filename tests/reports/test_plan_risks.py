"""Risks of a plan: how grave each is by its stated threshold, and what is advised."""

import pytest

from sixnd.reports.plan_facts import plan_facts
from sixnd.reports.plan_risks import risks
from sixnd.specs.plan import Plan
from tests.reports.build import estimate

_GRAVITY = ["high", "medium", "not known", "low", "none"]


def risk(plan: Plan, key: str):
    return next(each for each in risks(plan) if each.key == key)


def with_estimate(plan: Plan, **changes):
    return plan.model_copy(update={"estimates": plan.estimates.model_copy(update=changes)})


def with_epochs(plan: Plan, epochs: float | None):
    unique = None if epochs is None else 1e9
    sources = [source.model_copy(update={"epochs": epochs, "unique_tokens": unique}) for source in plan.data.sources]
    return plan.model_copy(update={"data": plan.data.model_copy(update={"sources": sources})})


def with_compute(plan: Plan, factor: float):
    """So many times the compute of the law's largest run."""
    law = plan.spec.planning_law.law
    assert law.fitted_compute is not None
    budget = plan.budget.model_copy(update={"compute_flops": law.fitted_compute[1] * factor})
    return plan.model_copy(update={"budget": budget})


def test_the_gravest_stand_first_and_every_plan_is_looked_at(big_plan: Plan, small_plan: Plan) -> None:
    for plan in (big_plan, small_plan):
        found = [_GRAVITY.index(each.severity) for each in risks(plan)]
        assert found == sorted(found)
        assert {"extrapolation", "repetition", "memory", "time", "money"} <= {each.key for each in risks(plan)}


def test_whatever_is_grave_comes_with_advice(big_plan: Plan, small_plan: Plan) -> None:
    for plan in (big_plan, small_plan, with_epochs(big_plan, 40.0), with_compute(big_plan, 300.0)):
        assert all(each.advice for each in risks(plan) if each.severity in ("high", "medium"))


@pytest.mark.parametrize(("factor", "severity"), [(0.5, "none"), (5.0, "medium"), (400.0, "high")])
def test_extrapolation_weighs_by_how_far_the_plan_lies_beyond_the_law_s_runs(
    big_plan: Plan, factor: float, severity: str
) -> None:
    found = risk(with_compute(big_plan, factor), "extrapolation")
    assert found.severity == severity
    if factor > 1:
        assert f"is {factor:g} times the largest run's" in found.why


def test_a_plan_below_the_law_s_runs_is_beyond_them_too(small_plan: Plan) -> None:
    found = risk(small_plan, "extrapolation")
    assert found.severity == "high"
    assert "times below the smallest run's" in found.why


@pytest.mark.parametrize(
    ("epochs", "severity"), [(0.4, "none"), (3.0, "low"), (8.0, "medium"), (40.0, "high"), (None, "not known")]
)
def test_repetition_weighs_by_how_often_text_is_read(big_plan: Plan, epochs: float | None, severity: str) -> None:
    found = risk(with_epochs(big_plan, epochs), "repetition")
    assert found.severity == severity
    assert epochs is None or epochs <= 1 or f"is read {epochs:g} times over" in found.why


@pytest.mark.parametrize(("share", "severity"), [(0.7, "none"), (0.97, "medium"), (1.2, "high")])
def test_memory_weighs_by_its_upper_end(big_plan: Plan, share: float, severity: str) -> None:
    upper = share * big_plan.cluster.memory_bytes
    plan = with_estimate(big_plan, memory_bytes=estimate(upper / 1.12, "bytes", "by hand"))
    found = risk(plan, "memory")
    assert found.severity == severity
    assert not found.advice or big_plan.pareto[1].layout.label() in found.advice


def test_a_limit_of_time_is_held_against_the_upper_end(big_plan: Plan) -> None:
    wall_s = big_plan.estimates.wall_time_s
    unlimited = risk(big_plan, "time")
    assert (unlimited.severity, unlimited.advice) == ("none", "")
    for limit, severity in ((wall_s.value, "medium"), (wall_s.high * 1.01, "none")):
        budget = big_plan.spec.budget.model_copy(update={"time": limit})
        plan = big_plan.model_copy(update={"spec": big_plan.spec.model_copy(update={"budget": budget})})
        assert risk(plan, "time").severity == severity


@pytest.mark.parametrize(("goodput", "severity"), [(0.97, "low"), (0.85, "medium"), (0.7, "high")])
def test_stops_weigh_by_the_goodput_they_leave(big_plan: Plan, goodput: float, severity: str) -> None:
    assert "stops" not in {each.key for each in risks(big_plan)}
    plan = with_estimate(
        big_plan, goodput=estimate(goodput, "share", "by hand"), failures=estimate(12.0, "stops", "by hand")
    )
    assert risk(plan, "stops").severity == severity


def test_five_numbers_stand_at_the_top(big_plan: Plan, small_plan: Plan) -> None:
    for plan in (big_plan, small_plan):
        top = [number.key for number in plan_facts(plan).key_numbers if number.hero]
        assert top == ["params", "tokens", "wall_time", "money", "loss"]


def test_a_plan_of_nothing_is_told_too(big_plan):
    """Someone may have written so into a plan: a report of it says so, and does not end by a division."""
    cluster = big_plan.cluster.model_copy(update={"memory_bytes": 0.0})
    budget = big_plan.budget.model_copy(update={"compute_flops": 0.0})
    plan = big_plan.model_copy(update={"cluster": cluster, "budget": budget})
    assert risk(plan, "memory").why.endswith("is more than a rank's 0 B")
    assert "∞ times below" in risk(plan, "extrapolation").why
