"""Signs of life of every rank, in ``heartbeats/`` of the run folder: written by a thread of their own, off the step."""

import contextlib
import json
import os
import platform
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from sixnd.specs.document import Document
from sixnd.specs.files import write_atomically

FOLDER = "heartbeats"
T = TypeVar("T")


class Beat(Document):
    """What one rank last said of itself."""

    rank: int
    stage: int
    """Pipeline stage."""
    attempt: int
    host: str
    pid: int
    time: float
    """Seconds since the epoch, by the rank's own clock."""
    count: int
    """Beats so far: a thread writes them, so they go on where training hangs, and end where the process is stopped."""
    progress: int
    """Grows with each micro-batch begun and each phase entered."""
    phase: str
    """`starting`, `training`, `validating` or `saving`."""
    step: int
    """In which it is."""
    compute_s: float | None = None
    """Median over recent steps of the time in its own forward passes; none before there is one."""
    usual_s: float | None = None
    """The same over the whole window."""


class Heartbeat:
    """Writes one rank's beats; what changes is set from the training thread without waiting."""

    def __init__(self, run: Path, rank: int, stage: int, attempt: int, every_s: float) -> None:
        self.path = run / FOLDER / f"rank-{rank:05d}.json"
        self.rank, self.stage, self.attempt, self.every_s = rank, stage, attempt, every_s
        self.phase, self.step, self.progress, self.count = "starting", 0, 0, 0
        self.compute: tuple[float | None, float | None] = (None, None)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._beat_on, name="heartbeat", daemon=True)

    @contextlib.contextmanager
    def beating(self) -> Iterator[None]:
        """Beat while the block runs."""
        self.thread.start()
        try:
            yield
        finally:
            self.over.set()
            self.thread.join(timeout=self.every_s)

    def enter(self, phase: str, step: int) -> None:
        """Say that a phase begins."""
        self.phase, self.step = phase, step
        self.progress += 1

    def each(self, items: Iterable[T]) -> Iterator[T]:
        """The same items; each one taken is progress."""
        for item in items:
            self.progress += 1
            yield item

    def _beat_on(self) -> None:
        while True:
            # A full or slow disk must not end the training: the beat is then missed, and told by its age.
            with contextlib.suppress(OSError):
                self.path.parent.mkdir(exist_ok=True)  # anew where it was removed: without beats a run seems hung
                write_atomically(self.path, json.dumps(self._beat().plain()))
            if self.over.wait(self.every_s):
                return

    def _beat(self) -> Beat:
        self.count += 1
        compute_s, usual_s = self.compute
        return Beat(
            rank=self.rank,
            stage=self.stage,
            attempt=self.attempt,
            host=platform.node(),
            pid=os.getpid(),
            time=time.time(),
            count=self.count,
            progress=self.progress,
            phase=self.phase,
            step=self.step,
            compute_s=compute_s,
            usual_s=usual_s,
        )


def read_beats(run: Path) -> list[Beat]:
    """The last beat of every rank, by rank; what cannot be read is left out."""
    beats = []
    for path in sorted((run / FOLDER).glob("rank-*.json")):
        with contextlib.suppress(OSError, ValidationError):
            beats.append(Beat.model_validate_json(path.read_bytes()))
    return beats


def clear_beats(run: Path) -> None:
    """Remove what earlier attempts left, perhaps of ranks that are no longer there."""
    for path in (run / FOLDER).glob("rank-*.json"):
        path.unlink(missing_ok=True)
