"""BF16 on a CPU learns what FP32 learns: real text, the runner's own step, weights and gradients kept in FP32."""

import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from sixnd.runner.batches import Batch
from sixnd.runner.trainer import Trainer
from sixnd.specs.plan import Plan
from tests.runner import alone, tiny

ROOT = Path(__file__).parents[2]
STEPS, COUNTED = 300, 50


def _plan(precision: str, seed: int) -> Plan:
    plan = tiny.plan(tiny.layout(micro_batch=tiny.BATCH), steps=STEPS, seed=seed, learning_rate=3e-3)
    return plan.model_copy(update={"training": plan.training.model_copy(update={"precision": precision})})


def _windows(order: int) -> Iterator[Batch]:
    """Batches of this project's own text, a byte a token, in an order of its own."""
    text = b"".join(path.read_bytes() for path in sorted((ROOT / "specs").glob("*.py")))
    tokens, generator = torch.tensor(list(text)), torch.Generator().manual_seed(order)
    places = torch.arange(tiny.LENGTH).expand(tiny.BATCH, -1).contiguous()
    while True:
        starts = torch.randint(len(tokens) - tiny.LENGTH - 1, (tiny.BATCH,), generator=generator).tolist()
        found = torch.stack([tokens[at : at + tiny.LENGTH + 1] for at in starts])
        inputs, labels = found[:, :-1].contiguous(), found[:, 1:].contiguous()
        yield {"tokens": inputs, "labels": labels, "loss_mask": torch.ones(inputs.shape), "position_ids": places}


def _losses(precision: str, *, seed: int = 1234, order: int = 0) -> list[float]:
    trainer, batches = Trainer(_plan(precision, seed)), _windows(order)
    return [trainer.step([batches])[0] for _ in range(STEPS)]


def test_gradients_and_what_is_updated_stay_in_fp32(tmp_path: Path) -> None:
    with alone.one_rank(tmp_path):
        trainer = Trainer(_plan("bf16", 1234))
        weights = list(trainer.chunks[0].parameters())
        assert {p.dtype for p in weights} == {torch.bfloat16}
        assert {p.main_grad.dtype for p in weights} == {torch.float32}
        adam = trainer.optimizer.chained_optimizers[0].optimizer
        assert {p.dtype for group in adam.param_groups for p in group["params"]} == {torch.float32}


@pytest.mark.integration
def test_bf16_ends_nearer_to_fp32_than_another_seed_does(tmp_path: Path) -> None:
    with alone.one_rank(tmp_path):
        fp32, bf16 = _losses("fp32"), _losses("bf16")
        other = _losses("fp32", seed=99, order=1)
    last = [statistics.fmean(losses[-COUNTED:]) for losses in (fp32, bf16, other)]
    steps = statistics.fmean(abs(a - b) for a, b in zip(fp32[-COUNTED:], bf16[-COUNTED:], strict=True))
    print(f"last {COUNTED} of {STEPS} steps: fp32 {last[0]:.4f}, bf16 {last[1]:.4f}, other seed {last[2]:.4f} nats;")
    print(f"mean distance of a step's loss in bf16 from fp32: {steps:.4f}")
    assert last[0] < fp32[0] - 2, "it learned"
    assert abs(last[1] - last[0]) < 0.02
    assert abs(last[1] - last[0]) < abs(last[2] - last[0])
