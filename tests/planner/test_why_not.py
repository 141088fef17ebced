import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.planner.explain import explain
from sixnd.planner.layout_search import usable_memory
from sixnd.planner.plan import make_plan
from sixnd.planner.why_not import asked_layout
from sixnd.specs.budget import Layout
from tests.planner.building import machine, spec

PLAN = make_plan(
    spec(
        {"compute": 1e24},
        "512 x h100-sxm",
        model={"family": "llama-3-70b"},
        training={"global_batch": 4_194_304},
    )
)


def last(text):
    return explain(PLAN, text).steps[-1]


def test_the_plans_own_layout_is_told_as_such():
    found = explain(PLAN, PLAN.layout.label())
    assert found.value == "the plan's own layout"
    assert PLAN.estimates.step_time_s.value == pytest.approx(found.steps[1].value)


@given(st.sampled_from([1, 2, 4, 8]), st.sampled_from([2, 4, 8, 16]))
def test_no_named_layout_is_faster_than_the_plans(tensor, pipeline):
    found = explain(PLAN, f"TP{tensor} PP{pipeline}")
    assert found.value == "the plan's own layout" or found.value.endswith(("slower", "does not fit", "breaks a rule"))


def test_a_slower_layout_says_where_it_loses():
    found = explain(PLAN, "TP8 PP16")
    assert found.value.endswith("slower")
    lost = {step.step: step.value for step in found.steps if step.unit == "s"}
    total = found.steps[1].value - PLAN.estimates.step_time_s.value
    assert sum(lost.values()) == pytest.approx(total, abs=0.002 * len(PLAN.estimates.time.plain()) * total + 0.05)
    assert list(lost) == sorted(lost, key=lambda name: -abs(lost[name]))


def test_a_layout_that_does_not_fit_says_what_it_needs():
    found = explain(PLAN, "TP1 PP1 CP1 recompute-none")
    assert found.value == "does not fit"
    assert f"{usable_memory(machine()) / 1e9:.1f} GB are usable" in found.steps[-1].formula


def test_a_layout_that_breaks_a_rule_names_the_rule_and_the_field():
    found = explain(PLAN, "TP16")
    assert found.value == "breaks a rule"
    assert "fast links" in found.steps[-1].formula
    assert found.steps[-1].source.startswith("spec: ")


def test_degrees_that_do_not_make_the_cluster_are_told():
    assert "512 ranks" in last("TP3").formula


@pytest.mark.parametrize(
    ("text", "pins"),
    [
        ("TP8 PP4", {"tensor": 8, "pipeline": 4}),
        ("tp=2, etp=2 ep4", {"tensor": 2, "expert_tensor": 2, "expert": 4}),
        ("VPP2 MBS1 CP2 DP8 recompute-full", {
            "virtual_pipeline": 2, "micro_batch": 1, "context": 2, "data": 8, "recompute": "full"
        }),
    ],
)  # fmt: skip
def test_a_label_is_read_as_the_degrees_it_names(text, pins):
    assert asked_layout(text) == Layout.model_validate(pins)


def test_modules_of_a_label_pin_the_level_of_recomputation():
    for text in ("TP8 recompute-selective", "TP8 recompute-moe_act", "recompute-layernorm+mlp TP8"):
        assert asked_layout(text) == Layout.model_validate({"tensor": 8, "recompute": "selective"})
    assert asked_layout("TP8 recompute-full:2") == Layout.model_validate({"tensor": 8, "recompute": "full"})


@pytest.mark.parametrize("text", ["loss", "estimates.loss", "TP", "layout", "TP8 and more", "TP8 recompute-nothing"])
def test_other_names_are_no_layouts(text):
    assert asked_layout(text) is None
