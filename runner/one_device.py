"""The trained model whole, on one device, from a checkpoint of any layout."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from megatron.core.models.gpt import GPTModel

from sixnd.runner.checkpoints.checkpoint import latest_checkpoint, load_weights
from sixnd.runner.checkpoints.files import (
    DamagedError,
    OnDamage,
    check_files,
    checkpoint_folders,
    read_manifest,
    refuse_foreign,
    step_of,
)
from sixnd.runner.device import training_device
from sixnd.runner.job import JobFolder
from sixnd.runner.model import build_chunk, transformer_config
from sixnd.runner.trainer import start_process_groups, stop_process_groups
from sixnd.specs.errors import SixndError
from sixnd.specs.plan import Plan


@contextlib.contextmanager
def trained_model(
    folder: JobFolder, step: int | None = None, skipped: OnDamage = lambda _folder, _reason: None
) -> Iterator[tuple[Plan, GPTModel, int]]:
    """A run's plan, its model as it was after ``step`` (or the newest whole checkpoint), and that step; no gradients.

    ``skipped`` is told of newer checkpoints that are damaged.
    """
    plan = on_one_device(folder.plan())
    checkpoint, at = _named(folder, plan, step) if step is not None else _newest(folder, plan, skipped)
    with model_alone(plan) as model:
        model.eval()
        load_weights(checkpoint, [model])
        yield plan, model, at


@contextlib.contextmanager
def model_alone(plan: Plan) -> Iterator[GPTModel]:
    """The model of a plan for one device, with its initial weights, in process groups of this process; no gradients."""
    with training_device(0), tempfile.TemporaryDirectory() as rendezvous, torch.no_grad():
        start_process_groups(plan.layout, plan.training.seed, alone=Path(rendezvous))
        try:
            yield build_chunk(plan, transformer_config(plan))
        finally:
            stop_process_groups()


def on_one_device(plan: Plan) -> Plan:
    """The plan with a layout that splits nothing, and in BF16 where it trains in FP8, which takes no single token."""
    alone = {
        "tensor": 1,
        "pipeline": 1,
        "virtual_pipeline": 1,
        "context": 1,
        "data": 1,
        "sequence_parallel": False,
        "embedding_as_layer": False,
    }
    wider = {"precision": "bf16", "fp8_recipe": None} if plan.training.precision == "fp8" else {}
    layout, training = plan.layout.model_copy(update=alone), plan.training.model_copy(update=wider)
    return plan.model_copy(update={"layout": layout, "training": training})


def _newest(folder: JobFolder, plan: Plan, skipped: OnDamage) -> tuple[Path, int]:
    found = latest_checkpoint(folder.checkpoints_path, plan.fingerprint(), skipped)
    if found is None:
        raise SixndError(f"{folder.path} has no checkpoint yet", "let the run come to its first one")
    return found


def _named(folder: JobFolder, plan: Plan, step: int) -> tuple[Path, int]:
    """The checkpoint of ``step``, which must be whole."""
    kept = {step_of(path): path for path in reversed(checkpoint_folders(folder.checkpoints_path))}
    if step not in kept:
        there = f"there are those of {', '.join(map(str, kept))}" if kept else "there is none yet"
        raise SixndError(f"{folder.path} has no checkpoint of step {step}", f"{there}")
    try:
        manifest = read_manifest(kept[step])
        refuse_foreign(kept[step], manifest, plan.fingerprint())
        check_files(kept[step], manifest)
    except DamagedError as error:
        raise SixndError(f"{kept[step]}: {error}", "name another step, or leave it out") from error
    return kept[step], step
