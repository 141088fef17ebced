from pathlib import Path

import pytest
import torch

from sixnd.runner import trainer as trainer_module
from sixnd.runner.checkpoints.checkpoint import load_checkpoint
from sixnd.runner.checkpoints.saving import Moment, save_checkpoint
from sixnd.runner.trainer import Trainer
from tests.runner import alone, tiny

pytestmark = pytest.mark.filterwarnings(
    "ignore:`load_state_dict` is deprecated:FutureWarning"  # PyTorch's, of Megatron
)


def _trainer() -> Trainer:
    return Trainer(tiny.plan(tiny.layout(micro_batch=tiny.BATCH)))


def _plain(monkeypatch: pytest.MonkeyPatch) -> Trainer:
    with monkeypatch.context() as patch:
        patch.setattr(trainer_module, "fuse", lambda _optimizer: None)
        return _trainer()


def _train(trainer: Trainer, steps: int) -> list[torch.Tensor]:
    for _ in range(steps):
        alone.step(trainer, alone.text(trainer.plan))
    return [p.detach().clone() for chunk in trainer.chunks for p in chunk.parameters()]


def _is_fused(trainer: Trainer) -> bool:
    groups = trainer.optimizer.chained_optimizers[0].optimizer.param_groups
    choices = {bool(group["fused"]) for group in groups}
    assert len(choices) == 1
    return choices.pop()


def _handed_on(trainer: Trainer, to: Trainer, root: Path) -> Trainer:
    moment = Moment(2, attempt=1, fingerprint="abc", layout="TP1 PP1 DP1", validation_loss=None)
    saved, *_ = save_checkpoint(root, moment, trainer.chunks, trainer.optimizer, trainer.scheduler)
    assert load_checkpoint(saved, to.chunks, to.optimizer, to.scheduler) == 2
    return to


def test_the_fused_kernel_makes_the_update_that_pytorchs_own_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with alone.one_rank(tmp_path):
        fused, plain = _trainer(), _plain(monkeypatch)
        assert (_is_fused(fused), _is_fused(plain)) == (True, False)
        for ours, theirs in zip(_train(fused, 3), _train(plain, 3), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("begun_with", ["fused", "plain"])
def test_a_run_that_goes_on_makes_the_updates_it_began_with_to_the_last_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun_with: str
) -> None:
    with alone.one_rank(tmp_path / "meeting"):
        begun = _trainer() if begun_with == "fused" else _plain(monkeypatch)
        _train(begun, 2)
        resumed = _handed_on(begun, _trainer(), tmp_path / "checkpoints")
        assert _is_fused(resumed) == (begun_with == "fused")
        for ours, theirs in zip(_train(resumed, 2), _train(begun, 2), strict=True):
            assert torch.equal(ours, theirs)
