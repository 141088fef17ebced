"""The weights that continual pre-training starts from: proved, and made a checkpoint that any layout can load."""

import shutil
from collections.abc import Callable
from pathlib import Path

from megatron.core import dist_checkpointing

from sixnd.runner.checkpoints.checkpoint import load_weights, sharded_weights
from sixnd.runner.checkpoints.files import DamagedError, check_files, checkpoint_folders, folder_name, read_manifest
from sixnd.runner.export.huggingface_folder import load_llama
from sixnd.runner.job import JobFolder
from sixnd.runner.lora import is_adapter
from sixnd.runner.one_device import model_alone, on_one_device
from sixnd.runner.trainer import Trainer
from sixnd.specs.base_folders import base_folder, llama_sha256
from sixnd.specs.continual import PlannedContinual
from sixnd.specs.continual_record import BaseTaken
from sixnd.specs.errors import InvalidDataError
from sixnd.specs.plan import Plan

_DIGITS = 12


def proved_base(folder: JobFolder, plan: Plan, base_dir: Path, say: Callable[[str], None]) -> Path | None:
    """The checkpoint of the base, every byte of it proved to be what the plan says.

    None where the plan has no base, or its run goes on from a checkpoint of its own. A Llama's weights are written as a
    checkpoint into the run's folder, by a model on one device, whose memory must hold it whole. Raises
    ``InvalidDataError`` where the base is not there, has changed, or is damaged.
    """
    planned = plan.continual
    if planned is None or checkpoint_folders(folder.checkpoints_path):
        return None
    found, _named = base_folder(base_dir / planned.base)
    say(f"checking the base, {planned.name}")
    return _of_run(found, planned) if planned.kind == "run" else _of_llama(found, planned, folder, plan)


def take_base(checkpoint: Path, trainer: Trainer) -> None:
    """Put the base's weights in the place of new ones, resharded to this layout; adapters are new. Collective."""
    load_weights(checkpoint, [chunk.module for chunk in trainer.chunks], left_out=is_adapter)
    trainer.optimizer.reload_model_params()


def base_event(plan: Plan, checkpoint: Path, attempt: int) -> BaseTaken:
    """The record's line about the base."""
    planned = plan.continual
    assert planned is not None, "a base was proved"
    return BaseTaken(
        attempt=attempt,
        name=planned.name,
        path=str(checkpoint),
        step=planned.step,
        sha256=planned.sha256,
        replay=planned.replay,
        general=[source.name for source in planned.general],
    )


def _of_run(run: Path, planned: PlannedContinual) -> Path:
    assert planned.step is not None, "a run's checkpoint has one"
    checkpoint = run / "checkpoints" / folder_name(planned.step)
    try:
        manifest = read_manifest(checkpoint)
        _check_digest(checkpoint, manifest.digest(), planned)
        check_files(checkpoint, manifest)
    except DamagedError as error:
        raise InvalidDataError(f"{checkpoint}: {error}", "restore it, or plan with another checkpoint") from error
    return checkpoint.resolve()


def _of_llama(source: Path, planned: PlannedContinual, folder: JobFolder, plan: Plan) -> Path:
    _check_digest(source, llama_sha256(source), planned)
    checkpoint = folder.data_path / f"base-{planned.sha256[:_DIGITS]}"
    if not checkpoint.is_dir():
        partial = checkpoint.with_name(f"{checkpoint.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        _write_llama(source, plan, partial)
        partial.rename(checkpoint)
    return checkpoint


def _check_digest(path: Path, found: str, planned: PlannedContinual) -> None:
    if found != planned.sha256:
        raise InvalidDataError(
            f"{path} is not the base that was planned with: its SHA-256 is {found}, not {planned.sha256}",
            "plan anew to start from what is there now",
        )


def _write_llama(source: Path, plan: Plan, into: Path) -> None:
    """A Llama's weights as a checkpoint of one rank, without an optimizer."""
    llama, weights = load_llama(source, plan.model.padded_vocab_size)
    _check_sizes(source, llama.vocab_size, plan)
    with model_alone(on_one_device(plan)) as model:
        model.load_state_dict(weights, strict=False)
        dist_checkpointing.save(sharded_weights([model]), str(into))


def _check_sizes(source: Path, entries: int, plan: Plan) -> None:
    if entries != plan.model.vocab_size:
        raise InvalidDataError(
            f"{source}: it has {entries:,} entries, and the plan {plan.model.vocab_size:,}", "plan anew"
        )
