"""Which rank is slow, by the time in its own forward passes: steps end together, so step times cannot tell."""

import statistics
from collections import deque
from collections.abc import Sequence

from sixnd.runner.supervision.heartbeat import Beat

_RECENT_STEPS = 8


class ComputeTimes:
    """A rank's own times over a window of steps."""

    def __init__(self, window: int) -> None:
        self.seconds: deque[float] = deque(maxlen=window)
        self.batch = 0

    def add(self, seconds: float, batch: int) -> tuple[float, float]:
        """Take the time of a step of so many sequences; medians of the recent steps of that batch and of the window."""
        if batch != self.batch:
            self.seconds.clear()
            self.batch = batch
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
