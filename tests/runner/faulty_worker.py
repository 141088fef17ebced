"""A training process whose model goes wrong in the steps that ``SIXND_TEST_FAULT`` names, e.g. ``nan:5,7``.

``nan`` makes the loss no number, ``gradient`` one gradient of the first rank alone infinite, ``slow`` takes time;
``files`` lets the second rank alone write no file of more than ``SMALL`` bytes.
"""

import functools
import os
import resource
import time
from typing import Any

from sixnd.runner import worker

SMALL = 100_000
"""Bytes: a tiny run's record, and no shard of its checkpoints."""


def _nan(losses: Any) -> Any:
    return losses * float("nan")


def _slow(losses: Any) -> Any:
    time.sleep(0.3)
    return losses


def _whole(losses: Any) -> Any:
    return losses


def _gradient_norm(optimizer: Any, spoilt: bool) -> Any:
    """The norm, after a fault of the first rank alone: the others know of it by the norm only."""
    if spoilt and int(os.environ["RANK"]) == 0:
        next(p for p in optimizer.get_parameters() if p.grad is not None).grad.view(-1)[0] = float("inf")
    return type(optimizer).get_grad_norm(optimizer)


def _limit_files(spoilt: bool) -> None:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL if spoilt and int(os.environ["RANK"]) == 1 else hard, hard))


def spoil() -> None:
    """Make the fault a function of the step alone, as a bad batch is."""
    from sixnd.runner import trainer

    kind, _, steps = os.environ["SIXND_TEST_FAULT"].partition(":")
    faults = {"nan": _nan, "slow": _slow, "gradient": _whole, "files": _whole}
    fault, bad = faults[kind], {int(step) for step in steps.split(",")}
    step, loss = trainer.Trainer.step, trainer._loss
    now = 0

    def noted(self: Any, *args: Any) -> Any:
        nonlocal now
        now = self.scheduler.num_steps
        spoilt = kind == "gradient" and now in bad
        self.optimizer.get_grad_norm = functools.partial(_gradient_norm, self.optimizer, spoilt)
        _limit_files(kind == "files" and now in bad)
        return step(self, *args)

    def bad_loss(*given: Any) -> Any:
        *others, losses = given
        return loss(*others, fault(losses) if now in bad else losses)

    trainer.Trainer.step, trainer._loss = noted, bad_loss


if __name__ == "__main__":
    spoil()
    worker.main()
