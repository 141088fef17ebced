"""How a run stands, told from its record, and from its ranks' signs of life."""

import statistics
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from sixnd.reporting import read_run
from sixnd.reports.format import duration, flops, hours, money
from sixnd.runner.evaluation.told import last_evaluations
from sixnd.runner.supervision.heartbeat import read_beats
from sixnd.runner.supervision.limits import limits, spent_so_far
from sixnd.runner.supervision.slowness import slowness
from sixnd.specs.errors import visible
from sixnd.specs.record import End, Launch, RunRecord, Step
from sixnd.specs.run_events import Alarm
from sixnd.specs.step_batches import StepBatches

_RECENT_STEPS = 20
_SILENCE_STEPS = 10  # a record that grew by no line for so many steps' time is told as silent
_SILENCE_FLOOR_S = 120.0  # start-up and checkpoints write no step
_ALARMS_SHOWN = 5
_SLOW_TIMES = 1.3  # less is noise
_JOINT, _KEPT, _LONG = " · ", "\N{NO-BREAK SPACE}", 40
_HEAD = len("  spent  ")
_FORMS: dict[str, Callable[[float], str]] = {
    "time_s": duration,
    "accelerator_hours": hours,
    "money_usd": money,
    "flops": lambda value: f"{flops(value)} FLOPs",
}
"""What is spent, in the order in which it is told."""


@dataclass(frozen=True)
class RankLife:
    """What a rank last said of itself."""

    rank: int
    host: str
    age_s: float
    """Seconds since its last heartbeat, by this machine's clock."""
    phase: str
    step: int
    slowness: float
    """Times that its own forward passes take of what they did, or of what its peers' take."""

    @property
    def is_slow(self) -> bool:
        """Whether that stands out."""
        return self.slowness >= _SLOW_TIMES


@dataclass(frozen=True)
class Status:
    """One run's state; ``None`` where the record does not tell."""

    run: str
    state: str
    """`finished`, `failed`, `interrupted`, `paused`, `running`, or `silent` (no end, and no line for long)."""
    message: str
    step: int
    steps: int
    loss: float | None
    """Training loss of the last step, nats per token."""
    tokens_per_s: float | None
    eta_s: float | None
    """What is left to read at the median pace of recent steps."""
    silent_s: float
    """Seconds since the record last grew."""
    mfu: float | None = None
    """Of the last step."""
    spent: dict[str, float] = field(default_factory=dict)
    """FLOPs, accelerator-hours, USD and seconds of all attempts so far."""
    limits: dict[str, float] = field(default_factory=dict)
    """By the same names, where the run pauses."""
    evaluated: tuple[str, ...] = ()
    """What the last evaluations found: validation loss, bits per byte of the sources, tasks."""
    alarms: tuple[str, ...] = ()
    """The last ones, the newest last."""
    ranks: tuple[RankLife, ...] = ()
    """Signs of life; none of a run that has ended."""

    def plain(self) -> dict[str, object]:
        """The status as plain data; a loss that is not a number becomes null, which JSON has."""
        loss = self.loss if self.loss is not None and self.loss == self.loss else None
        return {**vars(self), "loss": loss, "ranks": [vars(rank) for rank in self.ranks]}

    def line(self) -> str:
        """The status as one line."""
        parts = [f"{self.run}: {self.state}", f"step {self.step:,}/{self.steps:,}"]
        parts += [f"loss {self.loss:.4f}"] if self.loss is not None else []
        parts += [f"{self.tokens_per_s:,.0f} tokens/s"] if self.tokens_per_s is not None else []
        parts += [f"MFU {self.mfu:.1%}"] if self.mfu is not None and self.state == "running" else []
        if self.state == "running" and self.eta_s is not None:
            parts.append(f"about {duration(self.eta_s)} left")
        if self.state == "silent":
            parts.append(f"no line for {duration(self.silent_s)}: killed, or hung")
        return _JOINT.join([*parts, self.message] if self.message else parts)

    def text(self, columns: int | None = None) -> str:
        """The line, and below it what was evaluated last, of a run that goes on what it spent and its ranks, alarms.

        Lines are wrapped to ``columns``, if any.
        """
        rows = [("found", found) for found in self.evaluated]
        rows += [("spent", self._spent_text())] if self.state in ("running", "silent") and self.spent else []
        rows += [("ranks", self._ranks_text())] if self.ranks else []
        rows += [("alarm", alarm) for alarm in self.alarms]
        lines = [visible(line) for line in (self.line(), *(f"  {name}  {text}" for name, text in rows))]
        return "\n".join(lines if columns is None else (part for line in lines for part in _wrapped(line, columns)))

    def _spent_text(self) -> str:
        parts = []
        for name, form in _FORMS.items():
            limit = f" (pauses at {form(self.limits[name])})" if name in self.limits else ""
            parts.append(f"{form(self.spent[name])}{limit}")
        return ", ".join(parts)

    def _ranks_text(self) -> str:
        oldest = max(self.ranks, key=lambda rank: rank.age_s)
        told = f"{len(self.ranks)}, oldest heartbeat {duration(oldest.age_s)} ago"
        told += f" (rank {oldest.rank} on {oldest.host}, {oldest.phase} step {oldest.step})"
        slow = max(self.ranks, key=lambda rank: rank.slowness)
        if not slow.is_slow:
            return told
        return f"{told}; rank {slow.rank} on {slow.host} takes {slow.slowness:.1f} times as long for its forward passes"


def _wrapped(line: str, columns: int) -> list[str]:
    """The line in parts of at most ``columns`` cells, those after the first indented; short parts stay whole."""
    whole = [part if len(part) > _LONG else part.replace(" ", _KEPT) for part in line.split(_JOINT)]
    indent = " " * (_HEAD if line.startswith("  ") else 2)
    wrapped = textwrap.wrap(_JOINT.join(whole), columns, subsequent_indent=indent, break_on_hyphens=False)
    return [part.replace(_KEPT, " ") for part in wrapped]


def read_status(folder: Path) -> Status:
    """The status of the run in ``folder``; raises ``SixndError`` where no run is."""
    plan, record = read_run(folder)
    silent_s = max(0.0, time.time() - (folder / "record.jsonl").stat().st_mtime)
    trained = plan.training
    state = status_of(record, f"{plan.name}/{plan.fingerprint()}", trained.steps, trained.batches, silent_s)
    spent = spent_so_far(plan, record).plain()
    return replace(
        state,
        spent={name: spent[name] for name in _FORMS},
        limits={limit.currency: limit.most for limit in limits(plan) if limit.pauses},
        ranks=_ranks(folder, record) if state.state in ("running", "silent") else (),
    )


def follow_status(folder: Path, every_s: float, show: Callable[[Status], None]) -> None:
    """Show the status now and then, until the run has ended."""
    while True:
        state = read_status(folder)
        show(state)
        if state.state not in ("running", "silent"):
            return
        time.sleep(every_s)


def _ranks(folder: Path, record: RunRecord) -> tuple[RankLife, ...]:
    beats = [beat for beat in read_beats(folder) if beat.attempt == len(record.of(Launch)) or not record.of(Launch)]
    now = time.time()
    return tuple(
        RankLife(beat.rank, beat.host, max(0.0, now - beat.time), beat.phase, beat.step, slowness(beat, beats))
        for beat in beats
    )


def status_of(record: RunRecord, run: str, steps: int, batches: StepBatches, silent_s: float) -> Status:
    """The status that a record tells; ``silent_s`` is how long ago it last grew."""
    stands = record.reached()
    done = [step for step in record.steps() if step.step <= stands]
    recent = done[-_RECENT_STEPS:]
    step_time_s = statistics.median(step.step_time_s for step in recent) if recent else None
    last = done[-1] if done else None
    state, message = _state(record, step_time_s, silent_s)
    reached = last.step if last else 0
    return Status(
        run=run,
        state=state,
        message=message,
        step=reached,
        steps=steps,
        loss=last.loss if last else None,
        tokens_per_s=last.tokens_per_s if last else None,
        eta_s=_left_s(recent, steps, batches) if recent else None,
        silent_s=silent_s,
        mfu=last.mfu if last else None,
        evaluated=last_evaluations(record),
        alarms=tuple(f"step {a.step:,}: {a.rule}: {a.message}" for a in record.of(Alarm)[-_ALARMS_SHOWN:]),
    )


def _left_s(recent: list[Step], steps: int, batches: StepBatches) -> float:
    sample_s = statistics.median(step.step_time_s / batches.of_step(step.step) for step in recent)
    return sample_s * (batches.samples_after(steps) - batches.samples_after(recent[-1].step))


def _state(record: RunRecord, step_time_s: float | None, silent_s: float) -> tuple[str, str]:
    """The last attempt's end, if it has one; else whether its record still grows."""
    last = record.events[-1] if record.events else None
    if isinstance(last, End):
        return last.status, "" if last.status == "finished" else last.message
    patience_s = max(_SILENCE_FLOOR_S, _SILENCE_STEPS * (step_time_s or 0.0))
    return ("silent" if silent_s > patience_s else "running"), ""
