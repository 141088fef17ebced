"""What a report says beside the plan is what `explain` and `ladder` say."""

from dataclasses import asdict

import pytest

from sixnd.planner.explain import explain
from sixnd.planner.plan import make_plan
from sixnd.planner.reasoning import LADDER_SHARE, reasoning
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.load import parse
from tests.specs.example import SPEC, spec_with


def planned(*changes):
    return make_plan(parse(spec_with(*changes) if changes else SPEC, "spec.yaml", BudgetSpec))


@pytest.fixture(scope="module")
def plan():
    return planned()


@pytest.fixture(scope="module")
def told(plan):
    return reasoning(plan)


def test_the_chains_are_those_of_explain(plan, told):
    assert [chain.name for chain in told.chains] == ["model.params", "data.tokens", "estimates.loss"]
    for chain, name in zip(told.chains, ("N", "D", "loss"), strict=True):
        derived = asdict(explain(plan, name))
        assert [link.step for link in chain.steps] == [step["step"] for step in derived["steps"]]
        assert [link.value for link in chain.steps] == [step["value"] for step in derived["steps"]]


def test_the_ladder_is_one_for_this_plan_within_its_share(plan, told):
    assert told.ladder is not None
    assert told.ladder.target.spec_sha256 == plan.spec_sha256
    assert told.ladder.spent_share <= told.ladder.share == LADDER_SHARE
    assert told.ladder.money_usd.value < plan.estimates.money_usd.value


def test_a_plan_too_small_for_a_ladder_says_so():
    told = reasoning(planned(("compute: 3e21 FLOPs", "compute: 1e14 FLOPs"), ("64 x h100-sxm", "2 x h100-sxm")))
    assert told.ladder is None
    assert "pays for no ladder" in told.no_ladder
    assert told.chains
