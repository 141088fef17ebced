"""Documents: frozen, closed, and equal after a way through YAML."""

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.specs.budget import BudgetSpec
from sixnd.specs.document import sha256_of
from sixnd.specs.law_document import LawDocument
from sixnd.specs.load import parse
from sixnd.specs.plan import Plan, PlannedLayout
from tests.reports import law_build
from tests.reports.build import big_plan, small_plan
from tests.specs.example import SPEC


@st.composite
def budget_specs(draw) -> BudgetSpec:
    """Sound specs with quantities, pins and texts of many kinds."""
    quantity = st.floats(1e-3, 1e27).map(lambda x: f"{x:.9g}")
    auto_count = st.sampled_from(["auto"]) | st.integers(1, 10**6)
    return BudgetSpec.model_validate(
        {
            "version": "budget/1",
            "name": draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)),
            "budget": {"compute": draw(quantity), "money": draw(st.none() | quantity.map(lambda q: f"${q}"))},
            "cluster": {
                "accelerators": f"{draw(st.integers(1, 10**6))} x h100-sxm",
                "goodput": draw(st.none() | st.floats(0.01, 1)),
                "memory_per_accelerator": draw(st.none() | quantity.map(lambda q: f"{q} B")),
            },
            "data": {
                "sources": [
                    {"name": f"s{i}", "path": draw(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))}
                    for i in range(draw(st.integers(1, 3)))
                ],
                "tokens": draw(st.just("auto") | quantity),
            },
            "training": {
                "global_batch": draw(st.just("auto") | quantity),
                "learning_rate": draw(st.just("auto") | st.floats(1e-9, 1.0)),
                "seed": draw(st.integers(1, 2**31 - 1)),
            },
            "layout": {"tensor": draw(auto_count), "sequence_parallel": draw(st.sampled_from(["auto", True, False]))},
        }
    )


@given(budget_specs())
def test_a_budget_spec_is_equal_after_a_way_through_yaml(spec):
    from sixnd.specs.yaml_reader import read_yaml

    again = BudgetSpec.model_validate(read_yaml(spec.to_yaml(), "f.yaml").data, strict=True)
    assert again == spec
    assert again.digest() == spec.digest()


@pytest.mark.parametrize("plan", [big_plan(), small_plan()], ids=["big", "small"])
def test_a_plan_is_equal_after_a_way_through_yaml(plan):
    again = parse(plan.to_yaml(), "plan.yaml", Plan)
    assert again == plan
    assert again.digest() == plan.digest()
    assert again.fingerprint() == plan.fingerprint()


def test_a_document_cannot_be_changed():
    spec = parse(SPEC, "f.yaml", BudgetSpec)
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        spec.name = "other"


def test_formatting_does_not_change_a_spec_s_digest():
    spec = parse(SPEC, "f.yaml", BudgetSpec)
    reworded = SPEC.replace("3e21 FLOPs", "3 ZFLOPs").replace("64 x h100-sxm", "'64 × h100-sxm'") + "# a remark\n"
    assert parse(reworded, "f.yaml", BudgetSpec).digest() == spec.digest()


def test_the_fingerprint_names_what_changes_the_model_only():
    plan = small_plan()
    elsewhere = plan.model_copy(update={"warnings": ["other"], "name": "other", "sixnd_version": "9"})
    other_seed = plan.model_copy(update={"training": plan.training.model_copy(update={"seed": 99})})
    assert elsewhere.fingerprint() == plan.fingerprint()
    assert other_seed.fingerprint() != plan.fingerprint()
    assert len(plan.fingerprint()) == 8


def test_the_layout_s_degrees_make_the_world():
    layout = PlannedLayout(
        tensor=8,
        pipeline=16,
        virtual_pipeline=2,
        data=64,
        micro_batch=1,
        sequence_parallel=True,
        distributed_optimizer=True,
        recompute="selective",
        recompute_modules=["layernorm"],
    )
    assert layout.world_size == 8192
    assert layout.label() == "TP8 PP16 DP64 VPP2 MBS1 recompute-layernorm"


def test_a_digest_does_not_depend_on_the_order_of_keys():
    assert sha256_of({"a": 1, "b": [2, "é"]}) == sha256_of({"b": [2, "é"], "a": 1})
    assert sha256_of({"a": 1}) != sha256_of({"a": 2})


@pytest.mark.parametrize("draw", [[701.0, 6, 0, 0.3, 0.3], [6, 6, 1e300, 0.3, 0.3], [6, 6, 0.5, 0.3]])
def test_a_draw_of_a_law_has_five_constants_that_a_float_holds(draw):
    law = law_build.law().plain()
    law["law"]["draws"][7] = draw
    with pytest.raises(pydantic.ValidationError, match=r"above that A, B or E is no number|at least 5 items"):
        LawDocument.model_validate(law)
