"""What a start of a run goes on from: its last whole checkpoint, on the layout of now."""

from collections.abc import Callable
from pathlib import Path

from sixnd.runner.checkpoints.checkpoint import latest_checkpoint
from sixnd.runner.checkpoints.files import remove_unfinished, set_aside
from sixnd.runner.checkpoints.keeper import skipped_event
from sixnd.runner.job import JobFolder
from sixnd.runner.journal import append_event
from sixnd.specs.checkpoint_events import CheckpointSaved, LayoutChanged
from sixnd.specs.errors import SixndError
from sixnd.specs.plan import Plan
from sixnd.specs.record import Launch, RunRecord


def take_up(folder: JobFolder, plan: Plan, record: RunRecord, attempt: int, say: Callable[[str], None]) -> int:
    """The step this attempt goes on from, 0 for a fresh start; damaged checkpoints are set aside, told and recorded.

    Raises ``SixndError`` where the record tells of checkpoints and none can be taken.
    """
    remove_unfinished(folder.checkpoints_path)

    def skipped(checkpoint: Path, reason: str) -> None:
        set_aside(checkpoint)
        append_event(folder.record_path, skipped_event(folder, checkpoint, attempt, reason))
        say(f"{checkpoint} is skipped: {reason}; the one before it is looked for")

    found = latest_checkpoint(folder.checkpoints_path, plan.fingerprint(), skipped)
    saved = record.last(CheckpointSaved)
    if found is None and saved is not None:
        raise SixndError(
            f"no checkpoint is in {folder.checkpoints_path}, and the record tells of one after step {saved.step}",
            f"restore it, or move {folder.path} away to begin anew",
        )
    return 0 if found is None else found[1]


def layout_change(plan: Plan, record: RunRecord, attempt: int, step: int) -> LayoutChanged | None:
    """The record's line where this attempt trains on another layout than the last; ``None`` where it does not."""
    last = record.last(Launch)
    if last is None or last.layout == plan.layout.label():
        return None
    return LayoutChanged(
        attempt=attempt,
        step=step,
        before=last.layout,
        after=plan.layout.label(),
        ranks_before=last.world_size,
        ranks_after=plan.layout.world_size,
        plan_sha256_before=last.plan_sha256,
        plan_sha256_after=plan.digest(),
    )


def keep_earlier_plan(folder: JobFolder, plan: Plan, record: RunRecord) -> None:
    """Give the plan of the last attempt a name of its own, where another layout's takes its place."""
    last = record.last(Launch)
    if last is not None and last.layout != plan.layout.label() and folder.plan_path.exists():
        folder.plan_path.rename(folder.path / f"plan-of-attempt-{last.attempt}.yaml")
