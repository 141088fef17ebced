"""What a person sees while a run goes on: one live line in a terminal, or now and then a line in a log."""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter

from sixnd.runner.evaluation.told import chances, sources_told, tasks_told
from sixnd.runner.job import JobFolder
from sixnd.runner.supervision.limits import Meter, wall_seconds
from sixnd.specs.checkpoint_events import CheckpointFailed, CheckpointSaved
from sixnd.specs.evaluation_record import SourceLosses, TaskScores, TasksWritten
from sixnd.specs.plan import Plan
from sixnd.specs.record import Event, Launch, Step, Validation, read_record
from sixnd.specs.run_events import Alarm

_EVENT: TypeAdapter[Any] = TypeAdapter(Event)
_LOOK_EVERY_S, _LOG_EVERY_S = 0.2, 15.0
_DAYS_FROM_S = 48 * 3600.0
_CENTS_BELOW = 1000.0
_LEAST_NEEDED = ("lr", "grad norm", "share")
_USUAL_COLUMNS = 79


class Progress:
    """Follows a run's record and tells it on stderr."""

    def __init__(self, folder: JobFolder, plan: Plan, *, live: bool) -> None:
        self.folder, self.plan = folder, plan
        self.quiet = not live
        # A terminal that cannot erase a line gets lines of their own, as a file does.
        self.terminal = live and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.chances: dict[str, float] = {}
        self.batches = plan.training.batches
        self.recent: list[tuple[float, int]] = []
        """Seconds and sequences of the last steps."""
        self.logged = 0.0
        self.meter = Meter(plan, 0.0, 0)
        self.began = time.monotonic()

    def say(self, text: str) -> None:
        """One line of its own."""
        if not self.quiet:
            self._clear()
            print(text, file=sys.stderr, flush=True)

    def follow(self, ended: Callable[[], bool]) -> None:
        """Tell each new event until ``ended`` answers true."""
        self.say(f"training in {self.folder.path} on {self.plan.layout.label()}")
        record = read_record(self.folder.record_path)
        self.meter = Meter(self.plan, wall_seconds(record, len(record.of(Launch))), 0)
        self.began = time.monotonic()
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
        if self.terminal:
            print(f"\r\x1b[K{self.line(step, _columns())}", end="", file=sys.stderr, flush=True)
        else:
            print(self.line(step), file=sys.stderr, flush=True)

    def line(self, step: Step, columns: int | None = None) -> str:
        """Step, loss, speed, what is spent and time left, as one line; of what has no room the least is left out."""
        total = self.plan.training.steps
        done, all_samples = self.batches.samples_after(step.step), self.batches.samples_after(total)
        seconds, samples = (sum(each) for each in zip(*self.recent or [(0.0, 1)], strict=True))
        told = {
            "step": f"step {step.step:,}/{total:,}",
            "share": f"{done / all_samples:.0%}",
            "loss": f"loss {step.loss:.4f}",
            "grad norm": f"grad norm {step.grad_norm:.2f}",
            "lr": f"lr {step.learning_rate:.2e}",
            "speed": f"{_short(step.tokens_per_s)} tokens/s",
            "mfu": f"MFU {step.mfu:.1%}",
            "spent": f"{self._spent()} spent",
            "left": f"{clock((all_samples - done) * seconds / samples)} left",
        }
        return _fitted(told, columns)

    def _spent(self) -> str:
        """Money, or where an hour costs nothing the time, of all attempts."""
        spent = self.meter.spent(0, 0, 0, time.monotonic() - self.began)
        if not self.meter.price:
            return clock(spent.time_s)
        return f"${spent.money_usd:,.2f}" if spent.money_usd < _CENTS_BELOW else f"${_short(spent.money_usd)}"

    def _clear(self) -> None:
        if self.terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    """Seconds as hours, minutes and seconds, ``1:02:03`` or ``2:03``; from two days on in days, ``64.9 d``."""
    if seconds >= _DAYS_FROM_S:
        return f"{seconds / 86400:,.1f} d"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _fitted(told: dict[str, str], columns: int | None) -> str:
    """The parts on one line; of what has no room the least needed goes first, at last the word behind what is spent."""
    line = "  ".join(told.values())
    if columns is None or len(line) <= columns:
        return line
    for name in _LEAST_NEEDED:
        if name in told:
            return _fitted({each: text for each, text in told.items() if each != name}, columns)
    return "  ".join((told | {"spent": told["spent"].removesuffix(" spent")}).values())[:columns]


def _columns() -> int:
    """What a line may fill; a terminal may wrap at its very last cell."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns - 1 or _USUAL_COLUMNS
    except OSError:
        return _USUAL_COLUMNS


def _short(value: float) -> str:
    """To three digits or so, in thousands, millions and so on where that is shorter: ``9,495``, ``3.02M``."""
    for scale, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= 10 * scale or value >= scale > 1e3:
            return f"{value / scale:.{2 if value < 10 * scale else 1 if value < 100 * scale else 0}f}{letter}"
    return f"{value:,.0f}"
