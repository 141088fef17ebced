"""Writing a checkpoint: into a folder of the attempt's own, hashed by all ranks, then given its manifest and its name.

Training waits while it is written. Megatron 0.16.1 can write beside training, but not safely from the CPU's memory:
its process that stays hands tensors over by shared memory, where the next step changes them as they are written, and
its process for one checkpoint is a fork of a rank amid gloo's threads.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from megatron.core import dist_checkpointing
from megatron.core.distributed import DistributedDataParallel
from megatron.core.optimizer import MegatronOptimizer
from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler
from torch.distributed.checkpoint.api import CheckpointException

from sixnd.runner.checkpoints.checkpoint import training_state
from sixnd.runner.checkpoints.files import Manifest, discard, file_names, partial_folder, publish
from sixnd.runner.checkpoints.ranks import gathered, is_first_rank, share
from sixnd.runner.proofs import FileProof, prove

_BALLAST_BYTES = 16 * 2**20
"""Held free for what the first rank alone writes, before the shards and after them: a failure of one rank alone could
not be agreed upon."""
_PROBE_BYTES = 2**20


class UnwrittenError(Exception):
    """A checkpoint could not be written, on every rank alike; the message says why. Nothing of it is left."""


@dataclass(frozen=True)
class Moment:
    """What a checkpoint's manifest says of it beside its files."""

    step: int
    attempt: int
    fingerprint: str
    layout: str
    validation_loss: float | None

    def manifest(self, files: dict[str, FileProof]) -> Manifest:
        """The manifest of a checkpoint of these files."""
        return Manifest(
            step=self.step,
            fingerprint=self.fingerprint,
            layout=self.layout,
            validation_loss=self.validation_loss,
            files=files,
        )


def save_checkpoint(
    root: Path,
    moment: Moment,
    chunks: list[DistributedDataParallel],
    optimizer: MegatronOptimizer,
    scheduler: OptimizerParamScheduler,
) -> tuple[Path, float]:
    """Save the training state; return its folder and the seconds it took. Collective.

    Raises ``UnwrittenError`` on every rank where the file system refuses: full, read-only, a limit, a missing right.
    """
    began = time.perf_counter()
    partial = partial_folder(root, moment.step, moment.attempt)
    state = training_state(chunks, optimizer, is_loading=False)
    state |= {"scheduler": scheduler.state_dict(), "step": moment.step}
    try:
        _on_first_rank(lambda: _begin(partial))
        _write(state, partial)
        files = _proved(partial)
        path = _on_first_rank(lambda: _finish(partial, moment.manifest(files)))
    except UnwrittenError:
        _on_first_rank(lambda: _give_up(partial))
        raise
    return path, time.perf_counter() - began


def _begin(partial: Path) -> None:
    discard(partial)
    partial.mkdir(parents=True)
    _ballast(partial).write_bytes(bytes(_BALLAST_BYTES))


def _finish(partial: Path, manifest: Manifest) -> Path:
    discard(_ballast(partial))
    return publish(partial, manifest)


def _give_up(partial: Path) -> None:
    for path in (partial, _ballast(partial)):
        discard(path)


def _ballast(partial: Path) -> Path:
    return partial.with_suffix(".ballast.partial")


def _write(state: dict[str, Any], partial: Path) -> None:
    """Write all ranks' shards; those that fail on any rank raise ``UnwrittenError`` on all."""
    _keep_ballast(partial, _BALLAST_BYTES // 2)
    request = dist_checkpointing.save(state, str(partial), async_sharded_save=True)
    request.finalize_fns.insert(0, lambda: _keep_ballast(partial, 0))
    failed, refusal = dict[int, str](), None
    try:
        request.execute_sync()
    except CheckpointException as error:  # on all ranks; only the first is told which have failed
        failed, refusal = {rank: str(failure[0]) for rank, failure in error.failures.items()}, _refusal(partial)
    refusals = gathered((failed, refusal))
    if reasons := [f"rank {rank}: {refusals[rank][1] or told}" for rank, told in refusals[0][0].items()]:
        raise UnwrittenError("; ".join(reasons))


def _keep_ballast(partial: Path, size: int) -> None:
    if is_first_rank():
        os.truncate(_ballast(partial), size)


def _refusal(partial: Path) -> str | None:
    """What the file system answers to a small write of this rank, if it refuses that too: PyTorch's errors do not."""
    try:
        (partial / f"probe-{torch.distributed.get_rank()}").write_bytes(bytes(_PROBE_BYTES))
    except OSError as error:
        return _told(error)
    return None


def _proved(partial: Path) -> dict[str, FileProof]:
    """Every file's size and SHA-256, each rank hashing its share of them."""
    names = _on_first_rank(lambda: file_names(partial))
    found: dict[str, FileProof] | str
    try:
        found = prove(partial, share(names))
    except OSError as error:
        found = _told(error)
    everyones = gathered(found)
    for proofs in everyones:
        if isinstance(proofs, str):
            raise UnwrittenError(proofs)
    return {name: proof for proofs in everyones for name, proof in proofs.items()}


def _on_first_rank(act: Callable[[], Any]) -> Any:
    """What ``act`` gives on the first rank, on all; what the file system refuses there is raised on all. Collective."""
    given: list[Any] = [None, None]
    if is_first_rank():
        try:
            given[0] = act()
        except OSError as error:
            given[1] = _told(error)
    torch.distributed.broadcast_object_list(given, src=0)
    if given[1] is not None:
        raise UnwrittenError(given[1])
    return given[0]


def _told(error: OSError) -> str:
    return f"{error.strerror or error}: {error.filename}" if error.filename else str(error)
