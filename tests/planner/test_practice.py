"""Settings of training that no law chooses: told where they are asked for, and another model then."""

import pytest

from sixnd.planner.explain import explain
from sixnd.planner.plan import make_plan
from tests.planner.building import spec

PLAIN = make_plan(spec({"compute": 1e21}))


def asked(**training):
    return make_plan(spec({"compute": 1e21}, training=training))


def test_a_z_loss_is_planned_explained_and_another_model():
    plan = asked(z_loss=1e-4)
    assert plan.training.z_loss == 1e-4
    decision = next(each for each in plan.decisions if each.what == "training.z_loss")
    assert decision.pinned
    assert "arXiv:2204.02311" in decision.source
    assert explain(plan, "z_loss").steps[0].value == 1e-4
    assert plan.fingerprint() != PLAIN.fingerprint()


def test_deterministic_kernels_are_told_with_their_price_and_where_they_change_anything():
    plan = asked(deterministic=True)
    assert plan.training.deterministic
    decision = next(each for each in plan.decisions if each.what == "training.deterministic")
    assert "takes longer than is estimated" in decision.reason
    assert "GPUs" in str(explain(plan, "deterministic").steps[1].value)
    on_cpu = make_plan(spec({"compute": 1e14}, "2 x cpu-2core", training={"deterministic": True}))
    assert "the same bits without it" in str(explain(on_cpu, "deterministic").steps[1].value)


def test_a_plan_in_fp8_says_how_products_are_scaled_and_what_nobody_has_seen():
    plan = asked(precision="fp8")
    assert plan.training.fp8_recipe == "tensorwise"
    assert next(each for each in plan.decisions if each.what == "training.fp8_recipe").source
    assert explain(plan, "training.fp8_recipe").steps[1].value == 448
    assert any("only where Transformer Engine is" in warning for warning in plan.warnings)


def test_an_embedding_without_decay_is_told_and_another_model():
    plan = make_plan(
        spec({"compute": 1e21}, model={"tied_embeddings": False}, training={"weight_decay_embeddings": False})
    )
    assert not plan.training.weight_decay_embeddings
    steps = {step.step: step.value for step in explain(plan, "training.weight_decay_embeddings").steps}
    assert (steps["embedding"], steps["matrices of the layers"], steps["head"]) == (0.0, 0.1, 0.1)
    assert plan.fingerprint() != PLAIN.fingerprint()


@pytest.mark.parametrize(
    "what", ["training.weight_decay_embeddings", "training.fp8_recipe", "training.z_loss", "training.deterministic"]
)
def test_what_is_not_asked_for_is_not_told(what):
    assert what not in {each.what for each in PLAIN.decisions}
