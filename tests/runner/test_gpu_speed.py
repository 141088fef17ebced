import sys
from datetime import date

import pytest
import torch

from sixnd.specs import catalog
from tests.benchmarks import gpu_mfu
from tests.benchmarks.gpu_mfu import NO_GPU, SIZES, Measured, mfu, page, planned


@pytest.mark.parametrize(("name", "params"), [("125M", 123.6e6), ("350M", 373.9e6), ("1B", 1104.2e6)])
def test_the_sizes_are_plans_for_one_gpu_in_bf16_without_recomputation(name: str, params: float) -> None:
    plan = planned(name, "h100-sxm")
    assert plan.model.params == pytest.approx(params, rel=1e-3)
    assert (plan.training.precision, plan.layout.world_size, plan.layout.recompute) == ("bf16", 1, "none")
    assert plan.layout.micro_batch == SIZES[name].micro_batch
    assert plan.model.sequence_length == 4096


def test_mfu_counts_products_and_half_of_the_score_matrix() -> None:
    plan = planned("1B", "h100-sxm")
    shape = SIZES["1B"].shape
    hidden, ffn = shape["hidden"], shape["ffn"]
    width = hidden // shape["heads"] * shape["kv_heads"]
    layer = 2 * hidden * hidden + 2 * hidden * width + 3 * hidden * ffn
    scores = 2 * hidden * (4096 + 1) / 2  # causal: query · key, and weights · value
    by_hand = 6 * (shape["layers"] * (layer + scores) + hidden * 32000)
    assert plan.model.flops_per_token == pytest.approx(by_hand, rel=2e-3)
    tokens = plan.training.global_batch * 4096
    assert mfu(plan, tokens * by_hand / 989e12) == pytest.approx(1.0, rel=2e-3)


def test_every_known_gpu_is_in_the_catalog() -> None:
    for entry in gpu_mfu._ACCELERATORS.values():
        assert "bf16" in catalog.accelerator(entry).peak_flops


def test_the_page_tells_device_and_figures() -> None:
    row = Measured("1B", "NVIDIA H100", 1_104_218_112, 1.5, 1.4, 87_381.0, 0.512, 40 * 10**9, False)
    told = page([row], date(2026, 11, 27))
    assert "One NVIDIA H100, 4,096 tokens a sequence, BF16, without Transformer Engine, 2026-11-27." in told
    assert "| 1B | 1,104M | 1.500 s | 1.400 s | 87,381 | 51.2% | 40.0 GB |" in told


@pytest.mark.skipif(torch.cuda.is_available(), reason="of a machine without a GPU")
def test_without_a_gpu_the_command_ends_with_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu_mfu"])
    with pytest.raises(SystemExit) as ended:
        gpu_mfu.main()
    assert ended.value.code == NO_GPU


@pytest.mark.gpu
@pytest.mark.integration
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_small_model_reaches_a_fifth_of_the_gpus_peak() -> None:
    found = gpu_mfu._in_its_own_process("125M", gpu_mfu._here(), 20)
    assert 0.2 < found.mfu < 1
