"""MFU and HFU: FLOPs counted once and twice, under both conventions of attention."""

import pytest

from sixnd.planner.cost import inverse
from sixnd.planner.model_flops import forward_flops, training_flops
from sixnd.planner.transformer import Transformer
from sixnd.planner.utilisation import forward_share, recomputed_flops, utilisations
from sixnd.specs import catalog
from sixnd.specs.plan import Estimate
from tests.planner.building import LLAMA_3_70B, layout

MFU = inverse(Estimate(value=10, low=9, high=11, unit="s", basis=""), 4.0, "share of peak", "")
DEEPSEEK = catalog.model_family("deepseek-v3")
MLA = Transformer(DEEPSEEK.architecture, DEEPSEEK.sequence)


def test_without_recomputation_hfu_is_mfu():
    found = utilisations(MFU, LLAMA_3_70B, layout(8, 8, 8))
    assert found["hfu"].value == MFU.value
    assert found["hfu_full"].value == found["mfu_full"].value


def test_the_whole_score_matrix_counts_as_much_again_as_its_causal_half():
    found = utilisations(MFU, LLAMA_3_70B, layout(8, 8, 8))
    flops = training_flops(LLAMA_3_70B.architecture, LLAMA_3_70B.sequence, "causal")
    scores = flops.forward["scores"] + flops.backward["scores"]
    assert found["mfu_full"].value / MFU.value == pytest.approx(1 + scores / flops.model)


def test_full_recomputation_is_a_forward_pass_of_all_layers_more():
    model = LLAMA_3_70B
    twice = recomputed_flops(model.architecture, model.sequence, "causal", layout(8, 8, 8, recompute="full"))
    assert (
        twice
        == training_flops(model.architecture, model.sequence, "causal", "full").hardware
        - training_flops(model.architecture, model.sequence, "causal").model
    )
    found = utilisations(MFU, model, layout(8, 8, 8, recompute="full"))
    assert 1.25 < found["hfu"].value / MFU.value < 4 / 3
    assert found["hfu"].low / found["hfu"].value == pytest.approx(MFU.low / MFU.value)


def test_a_share_of_the_layers_recomputes_that_share():
    split = {"recompute": "full", "virtual_pipeline": 5}
    whole = recomputed_flops(LLAMA_3_70B.architecture, 8192, "causal", layout(8, 8, 8, **split))
    half = recomputed_flops(LLAMA_3_70B.architecture, 8192, "causal", layout(8, 8, 8, **split, recompute_layers=1))
    assert half == pytest.approx(whole * 8 * 5 / 80)


def test_modules_recompute_their_own_products_and_norms_none():
    def twice(*modules):
        split = layout(8, 8, 8, recompute="selective", recompute_modules=list(modules))
        return recomputed_flops(MLA.architecture, MLA.sequence, "causal", split)

    forward = forward_flops(MLA.architecture, MLA.sequence, "causal")
    assert twice("core_attn") == forward["scores"]
    assert twice("layernorm", "moe_act") == 0
    assert twice("mlp", "moe") == pytest.approx(forward["ffn"] + forward["router"] + forward["experts"])
    assert twice("moe", "shared_experts") == twice("moe") > twice("shared_experts") > 0
    assert 0 < twice("mla_up_proj") < forward["qkv"]


def test_a_third_of_a_step_s_flops_are_its_forward_pass_less_what_runs_again():
    assert forward_share(LLAMA_3_70B, layout(8, 8, 8)) == pytest.approx(1 / 3)
    assert 1 / 4 < forward_share(LLAMA_3_70B, layout(8, 8, 8, recompute="full")) < 1 / 3.7
