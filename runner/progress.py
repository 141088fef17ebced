"""What a person sees while a run goes on: one live line in a terminal, or now and then a line in a log."""

import sys
import time
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter

from sixnd.runner.evaluation.told import chances, sources_told, tasks_told
from sixnd.runner.job import JobFolder
from sixnd.specs.checkpoint_events import CheckpointFailed, CheckpointSaved
from sixnd.specs.evaluation_record import SourceLosses, TaskScores, TasksWritten
from sixnd.specs.plan import Plan
from sixnd.specs.record import Event, Step, Validation
from sixnd.specs.run_events import Alarm

_EVENT: TypeAdapter[Any] = TypeAdapter(Event)
_LOOK_EVERY_S, _LOG_EVERY_S = 0.2, 15.0


class Progress:
    """Follows a run's record and tells it on stderr."""

    def __init__(self, folder: JobFolder, plan: Plan, *, live: bool) -> None:
        self.folder, self.plan = folder, plan
        self.quiet = not live
        self.terminal = live and sys.stderr.isatty()
        self.chances: dict[str, float] = {}
        self.batches = plan.training.batches
        self.recent: list[tuple[float, int]] = []
        """Seconds and sequences of the last steps."""
        self.logged = 0.0

    def say(self, text: str) -> None:
        """One line of its own."""
        if not self.quiet:
            self._clear()
            print(text, file=sys.stderr, flush=True)

    def follow(self, ended: Callable[[], bool]) -> None:
        """Tell each new event until ``ended`` answers true."""
        self.say(f"training in {self.folder.path} on {self.plan.layout.label()}")
        offset = self.folder.record_path.stat().st_size
        last_look = False
        while not last_look:
            last_look = ended()
            offset = self._read_on(offset)
            if not last_look:
                time.sleep(_LOOK_EVERY_S)
        self._clear()

    def _read_on(self, offset: int) -> int:
        """Tell the whole lines that came after ``offset``; return where the next one begins."""
        with self.folder.record_path.open("rb") as record:
            record.seek(offset)
            new = record.read()
        whole = new[: new.rfind(b"\n") + 1]
        for line in whole.splitlines():
            self._tell(_EVENT.validate_json(line))
        return offset + len(whole)

    def _tell(self, event: Any) -> None:
        if isinstance(event, Validation):
            self.say(f"step {event.step:,}: validation loss {event.loss:.4f}")
        elif isinstance(event, SourceLosses):
            self.say(f"step {event.step:,}: {sources_told(event)}")
        elif isinstance(event, TasksWritten):
            self.chances = chances(event)
        elif isinstance(event, TaskScores):
            self.say(f"step {event.step:,}: {tasks_told(event, self.chances)}")
        elif isinstance(event, CheckpointSaved):
            self.say(f"step {event.step:,}: checkpoint saved in {event.seconds:.1f} s")
        elif isinstance(event, CheckpointFailed):
            self.say(f"step {event.step:,}: checkpoint not written: {event.reason}")
        elif isinstance(event, Alarm):
            self.say(f"step {event.step:,}: {event.rule}: {event.message}")
        elif isinstance(event, Step):
            self._tell_step(event)

    def _tell_step(self, step: Step) -> None:
        self.recent = [*self.recent[-19:], (step.step_time_s, self.batches.of_step(step.step))]
        now = time.monotonic()
        if self.quiet or not (self.terminal or now - self.logged >= _LOG_EVERY_S):
            return
        self.logged = now
        line = self.line(step)
        if self.terminal:
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def line(self, step: Step) -> str:
        """Step, loss, speed and time left, as one line."""
        total = self.plan.training.steps
        done, all_samples = self.batches.samples_after(step.step), self.batches.samples_after(total)
        seconds, samples = (sum(each) for each in zip(*self.recent or [(0.0, 1)], strict=True))
        left_s = (all_samples - done) * seconds / samples
        spent = done / all_samples
        return (
            f"step {step.step:,}/{total:,} {spent:4.0%}  loss {step.loss:.4f}  grad norm {step.grad_norm:.2f}  "
            f"lr {step.learning_rate:.2e}  {step.tokens_per_s:,.0f} tokens/s  MFU {step.mfu:.1%}  "
            f"{clock(left_s)} left"
        )

    def _clear(self) -> None:
        if self.terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    """Seconds as hours, minutes and seconds: ``1:02:03``, ``2:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
