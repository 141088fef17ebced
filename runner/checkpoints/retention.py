"""Which checkpoints are kept: the last ones, each n-th, the best by validation loss."""

from collections.abc import Mapping
from pathlib import Path

from sixnd.runner.checkpoints.files import (
    checkpoint_folders,
    remove,
    remove_damaged,
    sized_manifest,
)
from sixnd.specs.checkpoint_policy import PlannedCheckpoints


def kept(losses: Mapping[int, float | None], policy: PlannedCheckpoints) -> set[int]:
    """Steps whose checkpoints stay; ``losses`` are those of the checkpoints that are there, ``None`` if not measured.

    Of equal losses the earlier one is the better. A loss that is no number is never among the best.
    """
    steps = sorted(losses)
    measured = {step: loss for step, loss in losses.items() if loss is not None and loss == loss}
    best = sorted(measured, key=lambda step: (measured[step], step))[: policy.keep_best]
    every = policy.keep_every_nth
    forever = [step for step in steps if every and step % (every * policy.every_steps) == 0]
    return {*steps[-policy.keep_last :], *best, *forever}


def apply_policy(root: Path, policy: PlannedCheckpoints) -> None:
    """Remove the checkpoints that the policy lets go.

    Only those that are whole count, so what is kept can be taken. What cannot be removed stays, and is tried again
    after the next checkpoint.
    """
    found = ((folder, sized_manifest(folder)) for folder in checkpoint_folders(root))
    whole = {folder: manifest for folder, manifest in found if manifest is not None}
    if not whole:
        return
    stays = kept({manifest.step: manifest.validation_loss for manifest in whole.values()}, policy)
    for folder, manifest in whole.items():
        if manifest.step not in stays:
            _try_to_remove(folder)
    remove_damaged(root, max(manifest.step for manifest in whole.values()))


def _try_to_remove(folder: Path) -> None:
    try:
        remove(folder)
    except OSError:
        return
