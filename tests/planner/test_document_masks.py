"""What a plan says of attention that ends with the document."""

import pytest

from sixnd.planner.explain import explain
from sixnd.planner.plan import make_plan
from sixnd.specs.plan import Plan
from tests.planner.building import SOURCES, spec


def plan(**data: bool) -> Plan:
    return make_plan(spec({"compute": 1e20}, data={"sources": SOURCES} | data))


def test_masks_change_the_model_and_nothing_that_is_planned() -> None:
    without, with_masks = plan(), plan(document_masks=True)
    assert plan(document_masks=False).fingerprint() == without.fingerprint() != with_masks.fingerprint()
    assert with_masks.data.document_masks
    assert with_masks.data.model_copy(update={"document_masks": False}) == without.data
    for part in ("model", "training", "layout", "estimates"):
        assert getattr(with_masks, part) == getattr(without, part), part


def test_a_plan_of_before_has_the_same_identity_of_its_data() -> None:
    assert "document_masks" not in plan().data.identity()
    assert plan(document_masks=True).data.identity()["document_masks"] is True


def test_what_is_counted_too_much_is_told_in_the_decision_and_beside_mfu() -> None:
    found = plan(document_masks=True)
    model = found.model
    scores = 3 * 2 * model.shape.layers * model.shape.heads * model.head_dim * model.sequence_length
    share = scores / model.flops_per_token  # causal: half of two products of s keys each, forward and backward
    [decision] = [each for each in found.decisions if each.what == "data.document_masks"]
    assert decision.pinned
    assert f"{share:.1%} of the FLOPs" in decision.reason
    for name in ("masks", "mfu"):
        first = explain(found, name).steps[0]
        assert (first.step, first.value) == ("counted too much at most", pytest.approx(share))


def test_without_masks_nothing_is_said_of_them() -> None:
    found = plan()
    assert not [each for each in found.decisions if each.what == "data.document_masks"]
    assert [step.step for step in explain(found, "mfu").steps] == ["MFU"]
