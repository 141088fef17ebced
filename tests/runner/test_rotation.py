from pathlib import Path

import pytest
import torch
from megatron.core.models.common.embeddings.rope_utils import _apply_rotary_pos_emb_bshd

from sixnd.runner.rotation import rotated
from sixnd.runner.trainer import Trainer
from tests.runner import alone, tiny

LENGTH, BATCH, HEADS, WIDTH = 7, 2, 3, 8


def angles() -> torch.Tensor:
    frequencies = 10_000 ** -(torch.arange(0, WIDTH, 2) / WIDTH)
    return torch.outer(torch.arange(LENGTH), frequencies).repeat(1, 2).view(LENGTH, 1, 1, WIDTH)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_values_and_gradients_are_megatrons_to_the_last_bit(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    start, pull = torch.randn(2, LENGTH, BATCH, HEADS, WIDTH).to(dtype)
    ours, theirs = (start.clone().requires_grad_() for _ in range(2))
    found, expected = rotated(ours, angles()), _apply_rotary_pos_emb_bshd(theirs, angles())
    found.backward(pull)
    expected.backward(pull)
    assert found.dtype is dtype
    assert torch.equal(found, expected)
    assert torch.equal(ours.grad, theirs.grad)


def test_other_angles_turn_otherwise() -> None:
    torch.manual_seed(0)
    x, turned = torch.randn(LENGTH, BATCH, HEADS, WIDTH), angles()
    assert torch.equal(rotated(x, turned * 0), x)
    assert not torch.equal(rotated(x, turned), rotated(x, turned * 2))


def test_the_model_sees_where_its_tokens_stand(tmp_path: Path) -> None:
    plan = tiny.plan(tiny.layout(micro_batch=tiny.BATCH))
    with alone.one_rank(tmp_path):
        model = Trainer(plan).chunks[0].module.eval()
        tokens = alone.text(plan)["tokens"][:1]
        swapped = tokens.clone()
        swapped[0, :2] = tokens[0, :2].flip(0)
        places = torch.arange(tokens.shape[1])[None]
        with torch.no_grad():
            last, other = (model(each, places, None)[0, -1] for each in (tokens, swapped))
    assert not torch.allclose(last, other, atol=1e-6)
