"""Checkpoints through Megatron's ``dist_checkpointing``, loadable on another layout than they were written on.

One holds weights, the optimizer's state in a form that any layout can take, the schedule and the step. There is no
dropout, so no random number is drawn after the weights are made and none is kept.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from megatron.core import dist_checkpointing
from megatron.core.distributed import DistributedDataParallel
from megatron.core.models.gpt import GPTModel
from megatron.core.optimizer import MegatronOptimizer
from megatron.core.optimizer.distrib_optimizer import DistributedOptimizer
from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler

from sixnd.runner.checkpoints.files import (
    DamagedError,
    OnDamage,
    check_files,
    newest_checkpoint,
    read_manifest,
    refuse_foreign,
)
from sixnd.runner.checkpoints.ranks import gathered, share

_SHARDING = {"distrib_optim_sharding_type": "fully_reshardable", "singleton_local_shards": False}


def load_checkpoint(
    path: Path,
    chunks: list[DistributedDataParallel],
    optimizer: MegatronOptimizer,
    scheduler: OptimizerParamScheduler,
) -> int:
    """Load a checkpoint, resharded to this layout; return the step it was saved after. Collective."""
    _make_room(optimizer)
    state = training_state(chunks, optimizer, is_loading=True)
    loaded = dist_checkpointing.load(state, str(path))
    _load_weights(_models(chunks), loaded)
    optimizer.load_state_dict(loaded["optimizer"])
    _part_steps(optimizer)
    scheduler.num_steps = 0  # load_state_dict counts on from what the scheduler has already stepped
    scheduler.load_state_dict(loaded["scheduler"])
    return int(loaded["step"])


def load_weights(path: Path, models: list[GPTModel], left_out: Callable[[str], bool] | None = None) -> None:
    """Load only the weights, resharded to this layout; those whose names are ``left_out`` stay. Collective."""
    state = sharded_weights(models)
    if left_out is not None:
        state = {part: {n: t for n, t in whole.items() if not left_out(n)} for part, whole in state.items()}
    _load_weights(models, dist_checkpointing.load(state, str(path)), strict=left_out is None)


def latest_checkpoint(
    root: Path, fingerprint: str, skipped: OnDamage = lambda _folder, _reason: None
) -> tuple[Path, int] | None:
    """The newest checkpoint that is whole, every byte of it read, and its step; ``None`` where there never was one.

    ``skipped`` is told of newer ones that are damaged. Raises ``SixndError`` where no checkpoint can be taken, or it
    is another plan's.
    """

    def judge(folder: Path) -> str | None:
        return _damage(folder, fingerprint, lambda names: names)

    found = newest_checkpoint(root, judge, skipped)
    return None if found is None else (found, read_manifest(found).step)


def agreed_checkpoint(root: Path, fingerprint: str, skipped: OnDamage) -> Path | None:
    """As ``latest_checkpoint``, on all ranks alike, each of them reading its share of the files. Collective."""

    def judge(folder: Path) -> str | None:
        reasons = gathered(_damage(folder, fingerprint, share))
        return next((reason for reason in reasons if reason is not None), None)

    return newest_checkpoint(root, judge, skipped)


def _damage(folder: Path, fingerprint: str, share: Callable[[list[str]], list[str]]) -> str | None:
    """What is wrong with a share of a checkpoint's files, naming the file; ``None`` where nothing is."""
    try:
        manifest = read_manifest(folder)
        refuse_foreign(folder, manifest, fingerprint)
        check_files(folder, manifest, share(sorted(manifest.files)))
    except DamagedError as error:
        return str(error)
    return None


def training_state(
    chunks: list[DistributedDataParallel], optimizer: MegatronOptimizer, *, is_loading: bool
) -> dict[str, Any]:
    """Weights and the optimizer's state, each tensor with its place in the whole."""
    weights = sharded_weights(_models(chunks))
    state = optimizer.sharded_state_dict(weights, is_loading=is_loading, metadata=_SHARDING)
    return weights | {"optimizer": state}


def _models(chunks: list[DistributedDataParallel]) -> list[GPTModel]:
    """The models inside the data-parallel wrappers, so that names in a checkpoint do not tell of the wrapper."""
    return [chunk.module for chunk in chunks]


def _make_room(optimizer: MegatronOptimizer) -> None:
    """Give PyTorch's Adam the state that its first step would have made, for the checkpoint to be loaded into.

    Apex's and Transformer Engine's Adam make theirs when Megatron asks, and count steps in the parameter group.
    """
    for part, adam in _torch_adams(optimizer):
        for parameter in (p for group in adam.param_groups for p in group["params"] if not adam.state[p]):
            moments = {name: torch.zeros_like(parameter.data) for name in ("exp_avg", "exp_avg_sq")}
            # A fused kernel counts steps where the parameter lives.
            adam.state[parameter] = {"step": torch.zeros((), device=parameter.device), **moments}
        part._set_main_param_and_optimizer_states = _keeping_step(part)


def _part_steps(optimizer: MegatronOptimizer) -> None:
    """Give each parameter its own count of steps: Megatron loads one tensor that all of them would count up."""
    for _part, adam in _torch_adams(optimizer):
        for state in adam.state.values():
            state["step"] = state["step"].clone()


def _torch_adams(optimizer: MegatronOptimizer) -> Iterator[tuple[DistributedOptimizer, torch.optim.Optimizer]]:
    for part in getattr(optimizer, "chained_optimizers", [optimizer]):
        if isinstance(part.optimizer, torch.optim.Adam | torch.optim.AdamW):
            yield part, part.optimizer


def _keeping_step(part: DistributedOptimizer) -> Callable[[Any, dict[str, Any]], None]:
    """Megatron's copy of one parameter's loaded state, without its wish that Adam's step be among the tensors.

    Megatron 0.16.1 has set the step by then, from the parameter group; it stands in no tensor of the checkpoint.
    """
    copy_state = type(part)._set_main_param_and_optimizer_states

    def copy(model_param: Any, tensors: dict[str, Any]) -> None:
        group, order = part.model_param_group_index_map[model_param]
        state = part.optimizer.state[part.optimizer.param_groups[group]["params"][order]]
        copy_state(part, model_param, tensors | {"step": state["step"]})

    return copy


def sharded_weights(models: list[GPTModel]) -> dict[str, Any]:
    """Weights alone, each tensor with its place in the whole."""
    return {f"model{i}": model.sharded_state_dict(metadata=_SHARDING) for i, model in enumerate(models)}


def _load_weights(models: list[GPTModel], loaded: dict[str, Any], *, strict: bool = True) -> None:
    for i, model in enumerate(models):
        model.load_state_dict(loaded[f"model{i}"], strict=strict)
