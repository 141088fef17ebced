"""Collectives among one rank, answered on the spot.

A rank that is alone in its group has what the collective would give it. gloo hands even these to a thread of its own
and waits for it, several times a step, on cores that the step needs.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from megatron.core.distributed import param_and_grad_buffer
from torch import Tensor


class _Done:
    """What an asynchronous collective returns, when there was nothing to do."""

    def wait(self) -> bool:
        return True

    def is_completed(self) -> bool:
        return True


def stand_ins() -> Iterator[tuple[Any, str, Callable[..., Any]]]:
    """What is exchanged on a CPU: owner, attribute, and what answers a group of one itself."""
    yield torch.distributed, "all_reduce", _answered(torch.distributed.all_reduce, lambda _tensor: None)
    for name in ("dist_reduce_scatter_func", "dist_all_gather_func"):  # Megatron took their names at its import
        yield param_and_grad_buffer, name, _answered(getattr(param_and_grad_buffer, name), _copy)


def _copy(into: Tensor, whole: Tensor) -> None:
    if into.data_ptr() != whole.data_ptr():
        into.copy_(whole)


def _answered(collective: Callable[..., Any], alone: Callable[..., None]) -> Callable[..., Any]:
    """``collective``, but for groups of one, where ``alone`` is called with its tensors."""

    def answered(*tensors: Any, group: Any = None, async_op: bool = False, **options: Any) -> Any:
        if torch.distributed.get_world_size(group) != 1:
            return collective(*tensors, group=group, async_op=async_op, **options)
        alone(*(tensor for tensor in tensors if isinstance(tensor, Tensor)))
        return _Done() if async_op else None

    return answered
