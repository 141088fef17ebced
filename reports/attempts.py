"""The attempts of a run: how each began and ended, and how long it took."""

from datetime import datetime
from typing import NamedTuple

from sixnd.reports.documents import Attempt
from sixnd.reports.figures import exact
from sixnd.reports.step_table import StepTable
from sixnd.specs.checkpoint_events import CheckpointSaved
from sixnd.specs.evaluation_record import SourceLosses, TaskScores
from sixnd.specs.record import End, Launch, RunRecord, Validation
from sixnd.specs.run_events import Alarm, Started


class Span(NamedTuple):
    """Seconds between launches and ends, and whether that is only a lower bound."""

    seconds: float
    at_least: bool
    """Whether an attempt left no end: of it only what its events tell is counted."""


class Times(NamedTuple):
    """What an attempt's events tell of its time, in seconds."""

    steps: float
    evaluations: float
    checkpoints: float
    start_up: float
    hung: float

    @property
    def all(self) -> float:
        """Their sum."""
        return sum(self)


def end_of(record: RunRecord, attempt: int) -> End | None:
    """How that attempt ended; ``None`` if the record does not say (running, or killed)."""
    found = [end for end in record.of(End) if end.attempt == attempt]
    return found[-1] if found else None


def attempts(record: RunRecord, steps: StepTable) -> list[Attempt]:
    """Every attempt in order."""
    launches = record.of(Launch)
    return [_attempt(record, steps, launch, last=launch is launches[-1]) for launch in launches]


def wall_time(record: RunRecord, steps: StepTable) -> Span | None:
    """Wall time over all attempts; ``None`` where nothing was launched, or no event tells of any time yet."""
    spans = [span_of(record, steps, launch) for launch in record.of(Launch)]
    whole = Span(sum(span.seconds for span in spans), any(span.at_least for span in spans))
    return None if not spans or (whole.at_least and not whole.seconds) else whole


def span_of(record: RunRecord, steps: StepTable, launch: Launch) -> Span:
    """Wall time of one attempt."""
    end = end_of(record, launch.attempt)
    seconds = None if end is None else seconds_between(launch.time, end.time)
    return Span(times_of(record, steps, launch.attempt).all, True) if seconds is None else Span(seconds, False)


def times_of(record: RunRecord, steps: StepTable, attempt: int) -> Times:
    """What the events of one attempt tell of its time; what they do not tell counts as nothing."""

    def told(*kinds: type[object]) -> float:
        return sum(e.seconds or 0.0 for kind in kinds for e in record.of(kind) if e.attempt == attempt)

    seconds = steps.step_time_s[steps.attempt == attempt]
    longest = float(seconds.max()) if seconds.size else 0.0
    hangs = [alarm.value for alarm in record.of(Alarm) if alarm.rule == "hang" and alarm.attempt == attempt]
    return Times(
        steps=float(seconds.sum()),
        evaluations=told(Validation, SourceLosses, TaskScores),
        checkpoints=told(CheckpointSaved),
        start_up=told(Started),
        hung=sum(hang for hang in hangs if hang > longest),  # else the step that hung was done after all
    )


def seconds_between(start: str, stop: str) -> float | None:
    """Seconds from one ISO 8601 time to another; ``None`` where either cannot be read or the clock ran backwards."""
    try:
        seconds = (datetime.fromisoformat(stop) - datetime.fromisoformat(start)).total_seconds()
    except (ValueError, TypeError):  # TypeError: only one of the two tells its zone
        return None
    return seconds if seconds >= 0 else None


def clock(time: str) -> str:
    """A time for people, to the second; as it stands where it cannot be read."""
    try:
        return datetime.fromisoformat(time).strftime("%Y-%m-%d %H:%M:%S %Z").strip()
    except ValueError:
        return time


def _attempt(record: RunRecord, steps: StepTable, launch: Launch, *, last: bool) -> Attempt:
    end, span = end_of(record, launch.attempt), span_of(record, steps, launch)
    own = steps.step[steps.attempt == launch.attempt]
    wall = exact("duration", span.seconds)
    if span.at_least:
        full = f"≥ {wall.text}" if span.seconds else "not measured"
        wall = wall.model_copy(update={"value": span.seconds or None, "text": full, "full": full})
    return Attempt(
        number=launch.attempt,
        started=clock(launch.time),
        ended=clock(end.time) if end else "not recorded",
        resumed_from_step=launch.resumed_from_step,
        last_step=int(own[-1]) if own.size else None,
        steps=own.size,
        wall_time=wall,
        outcome=_outcome(end, last=last),
        cause=_cause(end),
        layout=launch.layout,
        machine=f"{launch.world_size} × {launch.device} on {launch.host}",
    )


def _outcome(end: End | None, *, last: bool) -> str:
    if end is not None:
        return str(end.status)
    return "running or killed" if last else "killed"


def _cause(end: End | None) -> str:
    if end is None:
        return "no end was recorded"
    return f"{end.message} (exit code {end.exit_code})" if end.exit_code else end.message
