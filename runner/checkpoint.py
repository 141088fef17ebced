"""Checkpoints through Megatron's ``dist_checkpointing``: whole or not there, and loadable on another layout.

A checkpoint is written into ``step_N.partial`` and renamed when every rank has finished, so a folder named
``step_N`` is complete. It holds weights, the optimizer's state in a form that any layout can take, the schedule
and the step. There is no dropout, so no random number is drawn after the weights are made and none is kept.
"""

import json
import shutil
import time
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

from sixnd.specs.errors import SixndError
from sixnd.specs.files import write_atomically

_SHARDING = {"distrib_optim_sharding_type": "fully_reshardable", "singleton_local_shards": False}
_MANIFEST = "sixnd.json"
_PARTIAL = ".partial"


def save_checkpoint(
    root: Path,
    step: int,
    fingerprint: str,
    keep_last: int,
    chunks: list[DistributedDataParallel],
    optimizer: MegatronOptimizer,
    scheduler: OptimizerParamScheduler,
) -> tuple[Path, float]:
    """Save the training state after ``step`` steps; return its folder and the seconds it took. Collective."""
    began = time.perf_counter()
    final, partial = root / _name(step), root / (_name(step) + _PARTIAL)
    if _is_first_rank():
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    torch.distributed.barrier()
    state = _state(chunks, optimizer, is_loading=False)
    state |= {"scheduler": scheduler.state_dict(), "step": step}
    dist_checkpointing.save(state, str(partial))
    torch.distributed.barrier()
    if _is_first_rank():
        _write_manifest(partial, step, fingerprint)
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)
        _remove_old(root, keep_last)
    torch.distributed.barrier()
    return final, time.perf_counter() - began


def load_checkpoint(
    path: Path,
    chunks: list[DistributedDataParallel],
    optimizer: MegatronOptimizer,
    scheduler: OptimizerParamScheduler,
) -> int:
    """Load a checkpoint, resharded to this layout; return the step it was saved after. Collective."""
    _make_room(optimizer)
    state = _state(chunks, optimizer, is_loading=True)
    loaded = dist_checkpointing.load(state, str(path))
    _load_weights(_models(chunks), loaded)
    optimizer.load_state_dict(loaded["optimizer"])
    _part_steps(optimizer)
    scheduler.num_steps = 0  # load_state_dict counts on from what the scheduler has already stepped
    scheduler.load_state_dict(loaded["scheduler"])
    return int(loaded["step"])


def load_weights(path: Path, models: list[GPTModel]) -> None:
    """Load only the weights, resharded to this layout. Collective."""
    loaded = dist_checkpointing.load(_weights(models), str(path))
    _load_weights(models, loaded)


def latest_checkpoint(root: Path, fingerprint: str) -> tuple[Path, int] | None:
    """The newest complete checkpoint and its step, or ``None``. One of another plan is refused."""
    for path in sorted(root.glob("step_*"), reverse=True):
        if path.suffix == _PARTIAL or not (path / _MANIFEST).is_file():
            continue
        manifest = json.loads((path / _MANIFEST).read_text("utf-8"))
        if manifest["fingerprint"] != fingerprint:
            raise SixndError(f"{path} was written by another plan ({manifest['fingerprint']}); move it away to go on")
        if _is_intact(path, manifest["bytes"]):
            return path, int(manifest["step"])
    return None


def _name(step: int) -> str:
    return f"step_{step:08d}"


def _is_first_rank() -> bool:
    return bool(torch.distributed.get_rank() == 0)


def _state(chunks: list[DistributedDataParallel], optimizer: MegatronOptimizer, *, is_loading: bool) -> dict[str, Any]:
    weights = _weights(_models(chunks))
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
            adam.state[parameter] = {"step": torch.tensor(0.0), **moments}
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


def _weights(models: list[GPTModel]) -> dict[str, Any]:
    return {f"model{i}": model.sharded_state_dict(metadata=_SHARDING) for i, model in enumerate(models)}


def _load_weights(models: list[GPTModel], loaded: dict[str, Any]) -> None:
    for i, model in enumerate(models):
        model.load_state_dict(loaded[f"model{i}"], strict=True)


def _write_manifest(path: Path, step: int, fingerprint: str) -> None:
    sizes = {file.name: file.stat().st_size for file in sorted(path.iterdir())}
    manifest = {"step": step, "fingerprint": fingerprint, "bytes": sizes}
    write_atomically(path / _MANIFEST, json.dumps(manifest, indent=1))


def _is_intact(path: Path, sizes: dict[str, int]) -> bool:
    return all((path / name).is_file() and (path / name).stat().st_size == size for name, size in sizes.items())


def _remove_old(root: Path, keep_last: int) -> None:
    complete = sorted(path for path in root.glob("step_*") if path.suffix != _PARTIAL)
    for path in complete[:-keep_last]:
        shutil.rmtree(path, ignore_errors=True)
