"""A training process whose model goes wrong in the steps that ``SIXND_TEST_FAULT`` names, e.g. ``nan:5,7``."""

import os
import time
from typing import Any

from sixnd.runner import worker


def _nan(losses: Any) -> Any:
    return losses * float("nan")


def _slow(losses: Any) -> Any:
    time.sleep(0.3)
    return losses


def spoil() -> None:
    """Make the fault a function of the step alone, as a bad batch is."""
    from sixnd.runner import trainer

    kind, _, steps = os.environ["SIXND_TEST_FAULT"].partition(":")
    fault, bad = {"nan": _nan, "slow": _slow}[kind], {int(step) for step in steps.split(",")}
    step, loss = trainer.Trainer.step, trainer._loss
    now = 0

    def noted(self: Any, *args: Any) -> Any:
        nonlocal now
        now = self.scheduler.num_steps
        return step(self, *args)

    def spoilt(*given: Any) -> Any:
        *others, losses = given
        return loss(*others, fault(losses) if now in bad else losses)

    trainer.Trainer.step, trainer._loss = noted, spoilt


if __name__ == "__main__":
    spoil()
    worker.main()
