from pathlib import Path

import pytest
import torch
from torch.nn.functional import silu

from sixnd.runner.gated import swiglu
from sixnd.runner.trainer import Trainer
from tests.runner import alone, tiny

LENGTH, BATCH, FFN = 7, 3, 40


def _plain(both: torch.Tensor) -> torch.Tensor:
    gate, value = both.chunk(2, dim=-1)
    return silu(gate) * value


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_values_and_gradients_are_those_of_the_plain_formula_to_the_last_bit(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    start, pull = torch.randn(LENGTH, BATCH, 2 * FFN).to(dtype), torch.randn(LENGTH, BATCH, FFN).to(dtype)
    ours, theirs = (start.clone().requires_grad_() for _ in range(2))
    found, expected = swiglu(ours, None), _plain(theirs)
    found.backward(pull)
    expected.backward(pull)
    assert torch.equal(found, expected)
    assert torch.equal(ours.grad, theirs.grad)


def test_a_bias_is_added_before_the_halves_part() -> None:
    torch.manual_seed(0)
    both, bias = torch.randn(LENGTH, BATCH, 2 * FFN), torch.randn(2 * FFN)
    assert torch.equal(swiglu(both, bias), _plain(both + bias))


def test_a_step_is_megatrons_own_unfused_one_to_the_last_bit(tmp_path: Path) -> None:
    plan = tiny.plan(tiny.layout(micro_batch=tiny.BATCH))
    with alone.one_rank(tmp_path):
        told = []
        for fused in (True, False):
            trainer = Trainer(plan)
            for layer in trainer.chunks[0].module.decoder.layers:
                layer.mlp.config.bias_activation_fusion = fused
            told.append([alone.step(trainer, alone.text(plan)) for _ in range(3)])
    assert told[0] == told[1]
