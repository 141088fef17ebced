"""BF16 on a CPU learns what FP32 learns: real text, the runner's own step, weights and gradients kept in FP32."""

import itertools
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from sixnd.runner.batches import Batch
from sixnd.runner.trainer import Trainer
from sixnd.specs.plan import Plan
from tests.runner import alone, tiny

TEXT = Path(__file__).parents[2] / "LICENSE"  # never changes, so a figure of one day holds on the next
STEPS, COUNTED, SEEDS = 300, 50, 5


def _plan(precision: str, seed: int) -> Plan:
    plan = tiny.plan(tiny.layout(micro_batch=tiny.BATCH), steps=STEPS, seed=seed, learning_rate=3e-3)
    return plan.model_copy(update={"training": plan.training.model_copy(update={"precision": precision})})


def _windows(order: int) -> Iterator[Batch]:
    """Batches of the licence's text, a byte a token, in an order of its own."""
    tokens, generator = torch.tensor(list(TEXT.read_bytes())), torch.Generator().manual_seed(order)
    places = torch.arange(tiny.LENGTH).expand(tiny.BATCH, -1).contiguous()
    while True:
        starts = torch.randint(len(tokens) - tiny.LENGTH - 1, (tiny.BATCH,), generator=generator).tolist()
        found = torch.stack([tokens[at : at + tiny.LENGTH + 1] for at in starts])
        inputs, labels = found[:, :-1].contiguous(), found[:, 1:].contiguous()
        yield {"tokens": inputs, "labels": labels, "loss_mask": torch.ones(inputs.shape), "position_ids": places}


def _last_loss(precision: str, seed: int) -> float:
    """Mean loss in nats of the last steps of a training whose weights and batches the seed draws."""
    trainer, batches = Trainer(_plan(precision, seed)), _windows(seed)
    losses = [trainer.step([batches])[0] for _ in range(STEPS)]
    trainer.close()
    assert losses[-1] < losses[0] - 2, "it learned"
    return statistics.fmean(losses[-COUNTED:])


def test_gradients_and_what_is_updated_stay_in_fp32(tmp_path: Path) -> None:
    with alone.one_rank(tmp_path):
        trainer = Trainer(_plan("bf16", 1234))
        weights = list(trainer.chunks[0].parameters())
        assert {p.dtype for p in weights} == {torch.bfloat16}
        assert {p.main_grad.dtype for p in weights} == {torch.float32}
        adam = trainer.optimizer.chained_optimizers[0].optimizer
        assert {p.dtype for group in adam.param_groups for p in group["params"]} == {torch.float32}


@pytest.mark.integration
def test_bf16_ends_where_fp32_ends_to_less_than_what_seeds_differ_by(tmp_path: Path) -> None:
    """One pair of trainings tells nothing: both drift apart from their first roundings on, by a third of a seed."""
    with alone.one_rank(tmp_path):
        fp32, bf16 = ([_last_loss(precision, seed) for seed in range(SEEDS)] for precision in ("fp32", "bf16"))
    lost = [ours - theirs for ours, theirs in zip(bf16, fp32, strict=True)]
    of_seeds = [abs(one - other) for one, other in itertools.combinations(fp32, 2)]
    print("fp32 nats:", *(f"{loss:.3f}" for loss in fp32), "bf16 more by:", *(f"{more:+.3f}" for more in lost))
    assert abs(statistics.fmean(lost)) < statistics.stdev(fp32)
    assert statistics.fmean(map(abs, lost)) < statistics.fmean(of_seeds)
