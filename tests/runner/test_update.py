"""The optimizer's step, taken in its parts because its gradient norm is judged before the weights change."""

from pathlib import Path

import pytest
import torch

from sixnd.runner.trainer import Trainer
from sixnd.specs.plan import Plan
from tests.runner import alone, tiny


def planned() -> Plan:
    return tiny.plan(tiny.layout(micro_batch=tiny.BATCH), steps=6, learning_rate=3e-2)


def weights(trainer: Trainer) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in trainer.chunks[0].parameters()]


def test_the_parts_do_what_megatrons_own_step_does_to_the_last_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def whole(trainer: Trainer) -> tuple[list[float], list[torch.Tensor]]:
        batch = alone.text(planned())
        norms = [alone.step(trainer, batch)[1] for _ in range(4)]
        return norms, weights(trainer)

    with alone.one_rank(tmp_path / "parts"):
        norms, ours = whole(Trainer(planned()))
    assert max(norms) > planned().training.clip_grad_norm, "clipping is at work"

    with alone.one_rank(tmp_path / "whole"):
        trainer = Trainer(planned())
        # Megatron's own step prepares gradients and takes their norm itself, which changes nothing the second time.
        monkeypatch.setattr(trainer, "_update", lambda _norm: trainer.optimizer.step())
        theirs_norms, theirs = whole(trainer)
    assert norms == theirs_norms
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_a_step_that_does_not_apply_leaves_weights_and_moments_and_moves_the_schedule(tmp_path: Path) -> None:
    with alone.one_rank(tmp_path / "skipped"):
        trainer, batch = Trainer(planned()), alone.text(planned())
        alone.step(trainer, batch)
        before, rate = weights(trainer), trainer.learning_rate()
        asked = []
        loss, norm, _ = trainer.step([iter([batch])], lambda *told: bool(asked.append(told)))
        assert asked == [(loss, norm)]
        assert all(torch.equal(one, other) for one, other in zip(before, weights(trainer), strict=True))
        assert trainer.learning_rate() != rate
        skipped = alone.step(trainer, batch)
    assert skipped[0] == loss, "the next step starts from the same weights"
