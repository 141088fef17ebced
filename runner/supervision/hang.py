"""Telling a hung run from a slow one, from outside, by the heartbeats of its ranks.

Times are taken by the watcher's own clock, from when it saw a beat change: clocks of machines may differ.
"""

import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sixnd.runner.supervision.heartbeat import Beat, read_beats
from sixnd.specs.supervision import Supervision

_SLOW_PHASES = ("starting", "validating", "saving")
_SLOW_TIMES = 3.0
_SILENT_BEATS, _SILENT_FLOOR_S = 4.0, 5.0


@dataclass(frozen=True)
class Hang:
    """No rank made progress for longer than is allowed."""

    rank: int | None
    """The one to look at; none where no rank ever gave a sign of life."""
    step: int
    seconds: float
    patience_s: float
    message: str
    beats: tuple[Beat, ...]


@dataclass
class _Seen:
    progress: int
    count: int
    moved: float
    """When progress was last seen."""
    alive: float
    """When a beat was last seen."""


class HangWatch:
    """Looks at the beats of one attempt now and then."""

    def __init__(
        self, run: Path, attempt: int, rules: Supervision, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.run, self.attempt, self.rules, self.clock = run, attempt, rules, clock
        self.began = self.looked = clock()
        self.seen: dict[int, _Seen] = {}
        self.step, self.stepped = 0, self.began
        self.step_times: deque[float] = deque(maxlen=rules.window)
        self.found: Hang | None = None

    def hangs(self) -> bool:
        """Whether the run hangs; ``found`` then says where. Looks as often as ranks beat."""
        now = self.clock()
        if self.found is None and now - self.looked >= self.rules.heartbeat:
            self.looked = now
            beats = [beat for beat in read_beats(self.run) if beat.attempt == self.attempt]
            self.found = self.judge(beats, now)
        return self.found is not None

    def judge(self, beats: Sequence[Beat], now: float) -> Hang | None:
        """Take the beats as they are at ``now``; the hang they show, if any."""
        for beat in beats:
            self._see(beat, now)
        self._time_steps(beats, now)
        patience_s = self._patience_s(beats)
        still_s = now - max((seen.moved for seen in self.seen.values()), default=self.began)
        return None if still_s <= patience_s else self._hang(beats, now, still_s, patience_s)

    def _see(self, beat: Beat, now: float) -> None:
        seen = self.seen.setdefault(beat.rank, _Seen(beat.progress, beat.count, now, now))
        if seen.progress != beat.progress:
            seen.progress, seen.moved = beat.progress, now
        if seen.count != beat.count:
            seen.count, seen.alive = beat.count, now

    def _time_steps(self, beats: Sequence[Beat], now: float) -> None:
        reached = max((beat.step for beat in beats), default=0)
        if reached > self.step:
            self.step_times.append((now - self.stepped) / (reached - self.step))
            self.step, self.stepped = reached, now

    def _patience_s(self, beats: Sequence[Beat]) -> float:
        step_s = statistics.median(self.step_times) if len(self.step_times) > 1 else 0.0
        patience_s = max(self.rules.hang_floor, self.rules.hang_steps * step_s)
        is_slow = not beats or any(beat.phase in _SLOW_PHASES for beat in beats)
        return _SLOW_TIMES * patience_s if is_slow else patience_s

    def _hang(self, beats: Sequence[Beat], now: float, still_s: float, patience_s: float) -> Hang:
        if not beats:
            message = f"no rank gave a sign of life for {still_s:.0f} s"
            return Hang(None, self.step, still_s, patience_s, message, ())
        quiet_s = max(_SILENT_BEATS * self.rules.heartbeat, _SILENT_FLOOR_S)
        stopped = [beat for beat in beats if now - self.seen[beat.rank].alive > quiet_s]
        if stopped:
            suspect = min(stopped, key=lambda beat: self.seen[beat.rank].alive)
            why = "whose process gives no sign of life: it was stopped, or its machine is gone"
        else:
            suspect = min(beats, key=lambda beat: self.seen[beat.rank].moved)
            why = f"which stood still first, {suspect.phase}"
        message = (
            f"the run hung in step {suspect.step}: no rank made progress for {still_s:.0f} s. Look at rank "
            f"{suspect.rank} on {suspect.host}, {why}"
        )
        return Hang(suspect.rank, suspect.step, still_s, patience_s, message, tuple(beats))
