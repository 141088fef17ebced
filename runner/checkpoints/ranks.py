"""What the ranks of a run tell each other about files."""

from typing import Any

import torch


def share(names: list[str]) -> list[str]:
    """This rank's share of the names: each rank takes others."""
    return names[torch.distributed.get_rank() :: torch.distributed.get_world_size()]


def gathered(found: Any) -> list[Any]:
    """What every rank has found, in order of ranks. Collective."""
    everyones: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everyones, found)
    return everyones


def is_first_rank() -> bool:
    """Whether this is the rank that acts for all."""
    return bool(torch.distributed.get_rank() == 0)
