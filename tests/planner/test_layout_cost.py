"""What a plan tells of cost beside its estimates agrees with them."""

from itertools import pairwise

import pytest

from sixnd.planner.layout_search import usable_memory
from sixnd.planner.machine import machine_of
from sixnd.planner.plan import make_plan
from tests.planner.building import spec

SPEC = spec({"compute": 1e24}, "1024 x h100-sxm", model={"params": 70e9})


@pytest.fixture(scope="module")
def plan():
    return make_plan(SPEC)


def test_the_chosen_layout_costs_what_the_plan_costs(plan):
    (chosen,) = (option for option in plan.options if option.chosen)
    assert chosen.wall_time_s == pytest.approx(plan.estimates.wall_time_s.value, rel=1e-9)
    assert chosen.money_usd == pytest.approx(plan.estimates.money_usd.value, rel=1e-9)
    usable = usable_memory(machine_of(SPEC))
    assert chosen.headroom_bytes == pytest.approx(usable - plan.estimates.memory_bytes.value, rel=1e-6)


def test_the_front_begins_with_the_chosen_layout_and_only_gets_slower_dearer_and_leaner(plan):
    front = plan.pareto
    assert [option.chosen for option in front] == [True] + [False] * (len(front) - 1)
    assert front[0].layout == plan.layout
    for one, other in pairwise(front):
        assert one.step_time_s < other.step_time_s
        assert one.wall_time_s < other.wall_time_s
        assert one.money_usd < other.money_usd
        assert 0 <= one.headroom_bytes < other.headroom_bytes


def test_money_goes_with_wall_clock_and_what_does_not_fit_lacks_memory(plan):
    costed = [option for option in plan.options if option.step_time_s is not None]
    rates = {round(option.money_usd / option.wall_time_s, 9) for option in costed}
    assert len(rates) == 1
    assert [option for option in costed if option.headroom_bytes < 0] == [o for o in costed if "needs" in o.why_not]


def test_what_a_rule_rejected_has_no_cost(plan):
    rejected = [option for option in plan.options if option.step_time_s is None]
    assert rejected
    assert all(option.money_usd is option.wall_time_s is option.headroom_bytes is None for option in rejected)


def test_a_plan_tells_its_sensitivities_its_pipeline_and_hfu(plan):
    assert {"MFU", "Price", "Goodput", "Failures every", "Restart in"} == {row.what for row in plan.sensitivities}
    assert plan.estimates.hfu.value >= plan.estimates.mfu.value
    assert plan.estimates.mfu_full.value > plan.estimates.mfu.value
    assert (plan.pipeline is None) == (plan.layout.pipeline == 1)
    mfu = next(row for row in plan.sensitivities if row.what == "MFU")
    assert (mfu.interval.low, mfu.interval.high) == pytest.approx((plan.estimates.mfu.low, plan.estimates.mfu.high))
