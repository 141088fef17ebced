"""The time that a rank spends in its own forward passes."""

import time
from types import TracebackType
from typing import Any

import torch

from sixnd.runner.device import is_cuda


class ComputeClock:
    """Adds up the time inside ``with`` blocks: by the wall on a CPU, between events of the stream on a GPU.

    Sends and receives of the pipeline and the gradients' reduction lie outside of the model's forward pass. Ranks of
    one tensor-parallel group do wait for each other inside, and are slow together.
    """

    def __init__(self) -> None:
        self.seconds, self.began = 0.0, 0.0
        self.events: list[tuple[Any, Any]] = []

    def __enter__(self) -> None:
        if is_cuda():
            self.events.append((_event(), torch.cuda.Event(enable_timing=True)))
        else:
            self.began = time.perf_counter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.events:
            self.events[-1][1].record()
        else:
            self.seconds += time.perf_counter() - self.began

    def taken(self) -> float:
        """Seconds since the last call; of a GPU it may only be asked when the stream has passed the last block."""
        seconds = self.seconds + sum(begin.elapsed_time(end) for begin, end in self.events) / 1000
        self.seconds, self.events = 0.0, []
        return float(seconds)


def _event() -> Any:
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event
