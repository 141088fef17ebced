"""The peak of the fullest rank's memory, without a reduction of its own in every step."""

import resource

import torch

from sixnd.runner.device import current_device, is_cuda

_GROWN = 1.01
"""How much more than was last told counts as more."""


class PeakMemory:
    """Device memory on a GPU, resident set on a CPU; of all ranks, to a hundredth.

    A peak only grows, and hardly after the first steps. So each rank says, in a reduction that the step makes anyway,
    whether its own has grown; only then are the peaks compared.
    """

    def __init__(self) -> None:
        self.told, self.fullest = 0, 0

    def has_grown(self) -> bool:
        """Whether this rank's own peak is above what it last told."""
        return _own_peak_bytes() > _GROWN * self.told

    def bytes(self, *, grown: bool) -> int:
        """Peak of the fullest rank; collective where it has ``grown`` on any rank."""
        if grown:
            self.told = _own_peak_bytes()
            fullest = torch.tensor([self.told], dtype=torch.int64, device=current_device())
            torch.distributed.all_reduce(fullest, op=torch.distributed.ReduceOp.MAX)
            self.fullest = int(fullest)
        return self.fullest


def _own_peak_bytes() -> int:
    if is_cuda():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
