"""Where tensors live: CUDA as Megatron-core expects it, or the CPU standing in for it.

Megatron-core has no CPU path: it asks for ``device="cuda"``, ``torch.cuda.current_device()``, ``.cuda()``, CUDA
streams and CUDA random states. On a machine without a GPU those few entry points are answered with their CPU
equals. Only Python attributes are exchanged; the operators themselves are untouched, so a step costs nothing more.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from megatron.core.tensor_parallel import random as megatron_random
from megatron.core.tensor_parallel.cross_entropy import VocabParallelCrossEntropy
from megatron.core.transformer import mlp

from sixnd.runner import lone_groups
from sixnd.runner.gated import swiglu

CPU = torch.device("cpu")
_FACTORIES = ("tensor", "empty", "zeros", "ones", "full", "arange", "rand", "randn", "empty_like", "zeros_like")
_IGNORED = ("synchronize", "empty_cache", "set_device", "reset_peak_memory_stats", "_lazy_init")


class _Stream:
    """A CUDA stream on a device that has none: everything is already in order."""

    def __init__(self, *_args: Any, **_options: Any) -> None:
        pass

    def wait_stream(self, _other: Any) -> None:
        pass

    def wait_event(self, _event: Any) -> None:
        pass

    def record_event(self, _event: Any = None) -> None:
        pass

    def synchronize(self) -> None:
        pass


def is_cuda() -> bool:
    """Whether this process trains on a GPU."""
    return bool(torch.cuda.is_available())


def current_device() -> torch.device:
    """Where this process keeps its tensors."""
    return torch.device("cuda", torch.cuda.current_device()) if is_cuda() else CPU


def backend() -> str:
    """The process-group backend: NCCL between GPUs, gloo between CPU processes."""
    return "nccl" if is_cuda() else "gloo"


@contextlib.contextmanager
def training_device(local_rank: int) -> Iterator[torch.device]:
    """The device of this rank; inside, Megatron-core's CUDA calls reach it.

    Entered once, before any Megatron-core object is made. On the CPU the stand-ins are removed on leaving.
    """
    if is_cuda():
        torch.cuda.set_device(local_rank)
        yield torch.device("cuda", local_rank)
        return
    with contextlib.ExitStack() as stack:
        for owner, name, stand_in in _stand_ins():
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, stand_in)
        yield CPU


def _stand_ins() -> Iterator[tuple[Any, str, Any]]:
    """What is exchanged: owner, attribute, CPU stand-in."""
    for name in _FACTORIES:
        yield torch, name, _on_cpu(getattr(torch, name))
    yield torch.Tensor, "to", _on_cpu(torch.Tensor.to)
    yield torch.Tensor, "cuda", lambda tensor, *_args, **_options: tensor
    yield torch.nn.Module, "cuda", lambda module, *_args, **_options: module
    yield torch.Tensor, "type", _cuda_named(torch.Tensor.type)
    for name in _IGNORED:
        yield torch.cuda, name, lambda *_args, **_options: None
    # A torch.device, so that `device=torch.cuda.current_device()` lands on the CPU.
    yield torch.cuda, "current_device", lambda: CPU
    yield torch.cuda, "Stream", _Stream
    yield torch.cuda, "Event", _Stream
    yield torch.cuda, "current_stream", _Stream
    yield torch.cuda, "default_stream", _Stream
    yield torch.cuda, "stream", lambda *_args: contextlib.nullcontext()
    yield torch.cuda, "get_rng_state", lambda *_args: torch.get_rng_state()
    yield torch.cuda, "manual_seed", lambda seed: torch.manual_seed(seed)
    yield megatron_random, "_get_cuda_rng_state", lambda *_args, **_options: torch.get_rng_state()
    yield megatron_random, "_set_cuda_rng_state", lambda state, *_args, **_options: torch.set_rng_state(state)
    yield from lone_groups.stand_ins()
    yield mlp, "bias_swiglu_impl", swiglu
    yield VocabParallelCrossEntropy, "calculate_logits_max", _logits_and_largest


def _logits_and_largest(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits ``[..., v]`` in FP32, and the largest ``[...]``; Megatron's also finds the places, which takes longer."""
    logits = logits.float()
    return logits, logits.amax(dim=-1)


def _names_cuda(device: Any) -> bool:
    return (isinstance(device, str) and device.startswith("cuda")) or (
        isinstance(device, torch.device) and device.type == "cuda"
    )


def _on_cpu(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` with every argument that names a CUDA device turned into the CPU."""

    def redirected(*args: Any, **options: Any) -> Any:
        if _names_cuda(options.get("device")):
            options["device"] = CPU
        options.pop("pin_memory", None)  # there is nothing to copy to from pinned memory
        if len(args) > 1 and _names_cuda(args[1]):
            args = (args[0], CPU, *args[2:])
        return function(*args, **options)

    return redirected


def _cuda_named(function: Callable[..., Any]) -> Callable[..., Any]:
    """``Tensor.type`` that names CPU tensors as their CUDA twins: Megatron's optimizer compares these names."""

    def named(tensor: torch.Tensor, dtype: Any = None, *args: Any, **options: Any) -> Any:
        if dtype is not None:
            return function(tensor, dtype, *args, **options)
        return str(function(tensor)).replace("torch.", "torch.cuda.", 1)

    return named
