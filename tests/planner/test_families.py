"""Published models: parameters counted from the architecture alone, and FLOPs under both conventions."""

import pytest

from sixnd.planner import model as counts
from sixnd.planner.model_flops import forward_flops, training_flops, utilisation
from sixnd.specs import catalog
from tests.planner.building import LLAMA_3_8B, LLAMA_3_405B

NAMES = catalog.names("model-families")
PRINTED_EXACTLY = 0.0005
"""A printed count is precise enough to be held against if its last digit is within this share of it."""


def architecture(name):
    return catalog.model_family(name).architecture


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_the_published_count_within_its_last_digit(name):
    family = catalog.model_family(name)
    found = counts.params(family.architecture)
    assert found == pytest.approx(family.published_params, rel=1e-6, abs=family.rounded_to / 2 * 1.001)


def test_at_least_forty_models_are_within_a_thousandth_of_the_published_count():
    families = [catalog.model_family(name) for name in NAMES]
    precise = [f for f in families if f.rounded_to / 2 <= PRINTED_EXACTLY * f.published_params]
    close = [f for f in precise if abs(counts.params(f.architecture) / f.published_params - 1) <= 0.001]
    assert len(close) == len(precise)
    assert len(close) >= 36


@pytest.mark.parametrize("name", [n for n in NAMES if catalog.model_family(n).published_active_params])
def test_active_parameters_are_near_what_is_printed_with_two_digits(name):
    """Some authors leave the embedding out: DeepSeek-V2-Lite's 2.4 billion do, which is 9 % less."""
    family = catalog.model_family(name)
    found = counts.active_params(family.architecture)
    without = found - counts.embedding_params(family.architecture)
    nearest = min((found, without), key=lambda n: abs(n - family.published_active_params))
    assert nearest == pytest.approx(family.published_active_params, rel=0.03)


def test_the_module_of_multi_token_prediction_is_deepseek_v3_s_eleven_and_a_half_billion():
    """README_WEIGHTS.md of DeepSeek-V3: 11.5 billion unique parameters beside the shared embedding and head."""
    assert counts.mtp_params(architecture("deepseek-v3")) == pytest.approx(11.5e9, rel=0.015)


def test_tying_saves_one_embedding_and_experts_a_token_skips_are_not_active():
    mixtral = architecture("mixtral-8x7b")
    tied = mixtral.model_copy(update={"tied": True})
    assert counts.params(mixtral) - counts.params(tied) == 32000 * 4096
    idle = 6 * 3 * 4096 * 14336 * 32
    assert counts.params(mixtral) - counts.active_params(mixtral) == idle


@pytest.mark.parametrize(("name", "ours"), [("llama-3-8b", LLAMA_3_8B), ("llama-3-405b", LLAMA_3_405B)])
def test_the_planner_s_own_decoder_is_a_special_case(name, ours):
    model = architecture(name)
    assert counts.params(model) == ours.params
    assert model == ours.architecture


@pytest.mark.parametrize("name", NAMES)
def test_matrix_products_are_two_flops_for_every_active_weight(name):
    """All parameters but norms, biases, positions, tied or looked-up embeddings are multiplied once a token."""
    model = architecture(name)
    if model.mtp_layers:
        model = model.model_copy(update={"mtp_layers": 0})
    found = forward_flops(model, 1, "causal")
    products = (sum(found.values()) - found["scores"]) / 2
    looked_up = 0 if model.tied else counts.embedding_params(model)
    weights = counts.active_params(model) - looked_up - counts.position_params(model)
    assert products == pytest.approx(weights, rel=0.001)
    assert products <= weights


@pytest.mark.parametrize("name", NAMES)
def test_the_causal_mask_leaves_half_of_the_scores(name):
    model = architecture(name).model_copy(update={"window": None})
    half, whole = (forward_flops(model, 4096, convention)["scores"] for convention in ("causal", "full"))
    assert whole == 2 * half


def test_a_window_saves_scores_only_where_the_sequence_is_longer():
    gemma = architecture("gemma-2-9b")
    everywhere = gemma.model_copy(update={"window": None})
    assert forward_flops(gemma, 4096, "causal") == forward_flops(everywhere, 4096, "causal")
    assert forward_flops(gemma, 8192, "causal")["scores"] < forward_flops(everywhere, 8192, "causal")["scores"]


def test_recomputation_is_hardware_work_but_not_the_model_s():
    model = architecture("llama-3-8b")
    none, attention, full = (training_flops(model, 8192, "causal", r) for r in ("none", "attention", "full"))
    assert none.model == none.hardware == attention.model == full.model
    assert attention.hardware - none.hardware == none.forward["scores"]
    layers = sum(none.forward.values()) - none.forward["head"]
    assert full.hardware - none.hardware == pytest.approx(layers)
    assert utilisation(full.hardware, 1e4, 989e12) / utilisation(full.model, 1e4, 989e12) == pytest.approx(
        1 + layers / none.model
    )


def test_megatron_s_hardware_flops_of_gpt_3_come_out():
    """Narayanan et al. 2021, eq. 3: 96·B·s·l·h²·(1 + s/6h + V/16lh) with full scores and full recomputation."""
    model = architecture("gpt-1t")
    s, layers, h, v = 2048, 128, 25600, 51200
    theirs = 96 * layers * h**2 * (1 + s / (6 * h) + v / (16 * layers * h))
    assert training_flops(model, s, "full", "full").hardware == pytest.approx(theirs, rel=1e-12)
