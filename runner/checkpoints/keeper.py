"""One rank's checkpoints through a run: which one it goes on from, when one is missing, which are kept."""

from pathlib import Path

import torch

from sixnd.runner.checkpoints.checkpoint import agreed_checkpoint, load_checkpoint
from sixnd.runner.checkpoints.files import set_aside, step_of
from sixnd.runner.checkpoints.retention import apply_policy
from sixnd.runner.checkpoints.saving import Moment, UnwrittenError, save_checkpoint
from sixnd.runner.job import JobFolder
from sixnd.runner.metrics import Metrics
from sixnd.runner.trainer import Trainer
from sixnd.specs.checkpoint_events import CheckpointFailed, CheckpointSaved, CheckpointSkipped
from sixnd.specs.errors import SixndError
from sixnd.specs.plan import Plan


class CheckpointKeeper:
    """Saves and loads the state of a trainer; all methods are collective."""

    def __init__(self, folder: JobFolder, plan: Plan, attempt: int, trainer: Trainer, metrics: Metrics | None) -> None:
        self.folder, self.plan, self.attempt, self.trainer, self.metrics = folder, plan, attempt, trainer, metrics
        self.root = folder.checkpoints_path
        self.has_failed = False
        self.losses: dict[int, float] = {}

    def resume(self) -> int:
        """Load the newest checkpoint that is whole; return its step, 0 where there is none yet."""
        found = agreed_checkpoint(self.root, self.plan.fingerprint(), self._skip)
        if found is None:
            return 0
        trainer = self.trainer
        return load_checkpoint(found, trainer.chunks, trainer.optimizer, trainer.scheduler)

    def needs_loss(self, step: int) -> bool:
        """Whether the validation loss is to be measured before this step's checkpoint, to know the best ones."""
        return self.plan.checkpoints.keep_best > 0 and step % self.plan.checkpoints.every_steps == 0

    def validated(self, step: int, loss: float) -> None:
        """Take note of the validation loss after ``step``."""
        self.losses = {step: loss}

    def save(self, step: int) -> str | None:
        """Save the state after ``step``, and let go of what the policy does not keep; why it could not be written.

        One checkpoint that cannot be written is an event, and the run goes on: a full disk is often emptied before
        the next one. A second in a row, or that of the last step, raises ``SixndError``.
        """
        loss, plan = self.losses.get(step), self.plan
        moment = Moment(step, self.attempt, plan.fingerprint(), plan.layout.label(), loss)
        trainer = self.trainer
        try:
            with trainer.settled():
                path, seconds = save_checkpoint(self.root, moment, trainer.chunks, trainer.optimizer, trainer.scheduler)
        except UnwrittenError as error:
            self._failed(step, str(error))
            return str(error)
        self.has_failed = False
        self._tell(CheckpointSaved(attempt=self.attempt, step=step, path=self._relative(path), seconds=seconds))
        if torch.distributed.get_rank() == 0:
            apply_policy(self.root, self.plan.checkpoints)
        torch.distributed.barrier()
        return None

    def _failed(self, step: int, reason: str) -> None:
        ends_run = self.has_failed or step == self.plan.training.steps
        self.has_failed = True
        self._tell(CheckpointFailed(attempt=self.attempt, step=step, reason=reason, ends_run=ends_run))
        if ends_run:
            raise SixndError(
                f"the checkpoint of step {step} could not be written: {reason}",
                "mend that; the same `sixnd run` goes on from the last one",
            )

    def _skip(self, folder: Path, reason: str) -> None:
        event = skipped_event(self.folder, folder, self.attempt, reason)
        torch.distributed.barrier()  # all ranks have looked into it
        if torch.distributed.get_rank() == 0:
            set_aside(folder)
        self._tell(event)

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(self.folder.path))

    def _tell(self, event: CheckpointSaved | CheckpointFailed | CheckpointSkipped) -> None:
        if self.metrics:
            self.metrics.write(event)


def skipped_event(folder: JobFolder, checkpoint: Path, attempt: int, reason: str) -> CheckpointSkipped:
    """The record's line about a checkpoint that is damaged."""
    path = str(checkpoint.relative_to(folder.path))
    return CheckpointSkipped(attempt=attempt, step=step_of(checkpoint), path=path, reason=reason)
