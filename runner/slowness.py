"""Which rank is slow, by the time in its own forward passes: steps end together, so step times cannot tell."""

import statistics
import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import torch

from sixnd.runner.device import is_cuda
from sixnd.runner.heartbeat import Beat

_RECENT_STEPS = 8


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


class ComputeTimes:
    """A rank's own times over a window of steps."""

    def __init__(self, window: int) -> None:
        self.seconds: deque[float] = deque(maxlen=window)

    def add(self, seconds: float) -> tuple[float, float]:
        """Take a step's time; medians of the recent steps and of the window."""
        self.seconds.append(seconds)
        return statistics.median(list(self.seconds)[-_RECENT_STEPS:]), statistics.median(self.seconds)


def slowness(beat: Beat, beats: Sequence[Beat]) -> float:
    """How many times a rank takes of what it used to, or of what the ranks with the same layers take now."""
    if beat.compute_s is None or not beat.usual_s:
        return 1.0
    peers = [peer.compute_s for peer in beats if peer.stage == beat.stage and peer.compute_s]
    return max(beat.compute_s / beat.usual_s, beat.compute_s / statistics.median_low(peers))


def slowest(beats: Sequence[Beat]) -> tuple[Beat, float] | None:
    """The slowest rank and how many times slower it is; none where all are alike or alone."""
    if len(beats) < 2:
        return None
    found = max(beats, key=lambda beat: slowness(beat, beats))
    times = slowness(found, beats)
    return None if times < 1.1 else (found, times)
