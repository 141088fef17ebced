"""Two data centres on paper: what the link costs, and what is assumed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.planner.explain import explain, explainable
from sixnd.planner.plan import make_plan
from sixnd.planner.sites import between_sites_s, synchronisation_s
from sixnd.specs.budget import Sites
from sixnd.specs.errors import InfeasibleError
from tests.planner.building import spec

SHAPE = {"layers": 128, "hidden": 16384, "heads": 128, "kv_heads": 8, "ffn": 53248}
LARGE = {"model": {"sequence_length": 8192, "shape": SHAPE}, "training": {"global_batch": "50331648 tokens"}}


def plan(**sites):
    cluster = {"sites": {"count": 2, "link_bytes_per_s": 1.25e11} | sites}
    return make_plan(spec({"compute": 1e26}, "98304 x h100-sxm", cluster=cluster, **LARGE))


def test_two_sites_send_each_parameter_once_each_way():
    assert synchronisation_s(Sites(count=2, link_bytes_per_s=1e9), 10**9) == pytest.approx(4)
    assert synchronisation_s(Sites(count=4, link_bytes_per_s=1e9, sync_bytes=2), 10**9) == pytest.approx(3)


@given(st.integers(2, 64), st.floats(1e6, 1e13), st.floats(1.01, 100), st.integers(1, 500))
@settings(max_examples=50)
def test_time_never_falls_with_a_slower_link_nor_rises_with_rarer_synchronisation(count, link, factor, every):
    def seconds(**sites):
        return between_sites_s(spec({"compute": 1e20}, cluster={"sites": {"count": count} | sites}), 10**11)

    assert seconds(link_bytes_per_s=link) > seconds(link_bytes_per_s=link * factor)
    assert seconds(link_bytes_per_s=link, sync_every=every) == pytest.approx(seconds(link_bytes_per_s=link) / every)


def test_the_link_is_in_the_step_s_time_and_in_each_option_s():
    one = make_plan(spec({"compute": 1e26}, "98304 x h100-sxm", **LARGE))
    two = plan()
    link = two.estimates.time.between_sites
    assert link == pytest.approx(synchronisation_s(two.spec.cluster.sites, two.model.params))
    assert two.layout == one.layout
    assert two.estimates.step_time_s.value == pytest.approx(one.estimates.step_time_s.value + link)
    chosen = next(option for option in two.options if option.chosen)
    assert chosen.step_time_s == pytest.approx(two.estimates.step_time_s.value)
    decision = next(each for each in two.decisions if each.what == "cluster.sites")
    assert decision.pinned
    assert "step" in decision.reason


def test_outer_steps_cost_less_and_say_what_they_assume():
    each, rarely = plan(), plan(sync_every=100)
    assert rarely.estimates.wall_time_s.value < each.estimates.wall_time_s.value
    assert rarely.estimates.loss == each.estimates.loss
    assumed = [warning for warning in rarely.warnings if "sync_every" in warning]
    assert len(assumed) == 1
    assert "as if" in assumed[0]
    assert "beyond that, and" not in assumed[0]
    assert not [warning for warning in each.warnings if "sync_every" in warning]
    assert any("beyond that, and" in warning for warning in plan(sync_every=501).warnings)


def test_every_number_of_such_a_plan_is_explained():
    made = plan(sync_every=10)
    for name in explainable(made):
        last = explain(made, name).steps[-1]
        if name.startswith("estimates.") and name != "estimates.loss":
            planned = getattr(made.estimates, name.removeprefix("estimates."))
            assert last.value == pytest.approx(planned.value, rel=1e-9), name


def test_replicas_that_do_not_divide_over_the_sites_are_told():
    with pytest.raises(InfeasibleError, match="do not divide over 3 sites"):
        make_plan(spec({"compute": 1e20}, cluster={"sites": {"count": 3, "link_bytes_per_s": 1e9}}))
