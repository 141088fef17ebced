"""z-loss: what it changes of the gradients, by PyTorch's own logsumexp and autograd, and what it leaves alone."""

from pathlib import Path

import pytest
import torch

from sixnd.runner.decoder import CrossEntropyWithZLoss
from sixnd.runner.trainer import Trainer
from sixnd.specs.plan import Plan
from tests.runner import alone, tiny
from tests.runner.conftest import Train, sources
from tests.runner.test_layout_parity import curve

FACTOR = 0.05
"""Large, so that its gradient is not lost beside that of cross-entropy."""


def planned(z_loss: float = FACTOR, **options: object) -> Plan:
    plan = tiny.plan(tiny.layout(micro_batch=tiny.BATCH), steps=12, learning_rate=1e-2, **options)
    return plan.model_copy(update={"training": plan.training.model_copy(update={"z_loss": z_loss})})


def objective(logits: torch.Tensor, target: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted mean of cross-entropy + factor · log²Z, as PyTorch has them."""
    flat, log_z = logits.flatten(0, 1), logits.logsumexp(-1).flatten()
    losses = torch.nn.functional.cross_entropy(flat, target.flatten(), reduction="none")
    return ((losses + FACTOR * log_z.square()) * weights.flatten()).sum() / weights.sum()


def test_the_gradient_of_the_logits_is_that_of_cross_entropy_and_z_loss(tmp_path: Path) -> None:
    torch.manual_seed(0)
    logits = (4 * torch.randn(5, 3, 64)).requires_grad_()
    target, weights = torch.randint(64, (5, 3)), torch.randint(0, 2, (5, 3)).float()
    expected = torch.autograd.grad(objective(logits, target, weights), logits)[0]
    with alone.one_rank(tmp_path / "one"):
        loss, log_z = CrossEntropyWithZLoss.apply(logits.clone(), target, FACTOR)
        found = torch.autograd.grad((loss * weights).sum() / weights.sum(), logits)[0]
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(log_z, logits.logsumexp(-1))
    cross_entropy = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none")
    torch.testing.assert_close(loss.flatten(), cross_entropy)


def test_what_z_loss_adds_is_told_beside_the_loss(tmp_path: Path) -> None:
    plan = planned()
    with alone.one_rank(tmp_path / "one"):
        trainer, batch = Trainer(plan), alone.text(plan)
        batch["loss_mask"][:, ::2] = 0
        with torch.no_grad():
            log_z = trainer.chunks[0](batch["tokens"], batch["position_ids"], None).logsumexp(-1)
        alone.step(trainer, batch)
    assert trainer.log_z_share == pytest.approx(float(log_z[:, 1::2].square().mean()), rel=1e-5)


@pytest.mark.parametrize("tied", [False, True])
def test_every_parameter_of_the_model_gets_the_gradient_that_autograd_finds(tied: bool, tmp_path: Path) -> None:
    plan = planned(tied=tied)
    with alone.one_rank(tmp_path / "one"):
        trainer, batch = Trainer(plan), alone.text(plan)
        trainer.step([iter([batch])], lambda _loss, _norm: False)  # gradients, and no update
        model = trainer.chunks[0].module
        ours = {name: value.main_grad.clone() for name, value in model.named_parameters()}
        for chunk in trainer.chunks:
            chunk.zero_grad_buffer()
        logits = model(batch["tokens"], batch["position_ids"], None)
        objective(logits, batch["labels"], batch["loss_mask"]).backward()
        for name, value in model.named_parameters():
            torch.testing.assert_close(ours[name], value.main_grad, rtol=1e-4, atol=1e-7, msg=name)


def test_what_is_told_is_cross_entropy_and_log_z_falls(tmp_path: Path) -> None:
    def trained(factor: float) -> tuple[list[float], torch.Tensor]:
        plan = planned(factor)
        with alone.one_rank(tmp_path / str(factor)):
            trainer, batch = Trainer(plan), alone.text(plan)
            losses = [alone.step(trainer, batch)[0] for _ in range(plan.training.steps)]
            with torch.no_grad():
                logits = trainer.chunks[0](batch["tokens"], batch["position_ids"], None)
        return losses, logits.logsumexp(-1).abs().mean()

    plain, log_z = trained(0.0)
    held, held_log_z = trained(FACTOR)
    assert held[0] == pytest.approx(plain[0], rel=1e-6), "before the first update nothing differs but the gradient"
    assert held[-1] != plain[-1]
    assert held_log_z < log_z - 0.2, "nats; measured 5.61 against 5.94"


@pytest.mark.integration
def test_z_loss_is_the_same_on_every_layout(train: Train) -> None:
    def plan(**degrees: int) -> Plan:
        made = tiny.plan(tiny.layout(**degrees), steps=4, sources=sources(12))
        return made.model_copy(update={"training": made.training.model_copy(update={"z_loss": FACTOR})})

    _, one = train(plan(), "one")
    told = [step.z_loss for step in one.steps()]
    assert min(value or 0 for value in told) > FACTOR * 25, "log Z of random logits over 512 entries is about 6.2"
    plain = tiny.plan(steps=4, sources=sources(12))
    _, without = train(plain, "without")
    assert curve(one)["grad_norm"][0] != pytest.approx(curve(without)["grad_norm"][0], rel=1e-3)
    for name, degrees in {"TP2-PP2": {"tensor": 2, "pipeline": 2}, "CP2": {"context": 2}}.items():
        _, split = train(plan(**degrees), name)
        for measure, values in curve(split).items():
            assert values == pytest.approx(curve(one)[measure], rel=1e-5), f"{name}: {measure}"
        assert [step.z_loss for step in split.steps()] == pytest.approx(told, rel=1e-5), name
