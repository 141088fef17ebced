"""The attempts of a run: how each began and ended, and how long it took."""

from datetime import datetime
from typing import NamedTuple

from sixnd.reports.documents import Attempt
from sixnd.reports.figures import exact
from sixnd.specs.record import End, Launch, RunRecord, Step


class WallTime(NamedTuple):
    """Seconds between launches and ends, and whether that is only a lower bound."""

    seconds: float
    at_least: bool
    """Whether an attempt left no end: of it only its steps are counted."""


def end_of(record: RunRecord, attempt: int) -> End | None:
    """How that attempt ended; ``None`` if the record does not say (running, or killed)."""
    found = [end for end in record.of(End) if end.attempt == attempt]
    return found[-1] if found else None


def attempts(record: RunRecord) -> list[Attempt]:
    """Every attempt in order."""
    launches = record.of(Launch)
    return [_attempt(record, launch, last=launch is launches[-1]) for launch in launches]


def wall_time(record: RunRecord) -> WallTime | None:
    """Wall time over all attempts; ``None`` where nothing was launched."""
    spans = [_span(record, launch) for launch in record.of(Launch)]
    if not spans:
        return None
    return WallTime(sum(span.seconds for span in spans), any(span.at_least for span in spans))


def _span(record: RunRecord, launch: Launch) -> WallTime:
    end = end_of(record, launch.attempt)
    seconds = None if end is None else _seconds_between(launch.time, end.time)
    if seconds is None:
        return WallTime(sum(step.step_time_s for step in _steps_of(record, launch.attempt)), True)
    return WallTime(seconds, False)


def _seconds_between(start: str, stop: str) -> float | None:
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


def _steps_of(record: RunRecord, attempt: int) -> list[Step]:
    return [step for step in record.of(Step) if step.attempt == attempt]


def _attempt(record: RunRecord, launch: Launch, *, last: bool) -> Attempt:
    end, steps, span = end_of(record, launch.attempt), _steps_of(record, launch.attempt), _span(record, launch)
    wall = exact("duration", span.seconds)
    if span.at_least:
        wall = wall.model_copy(update={"full": f"≥ {wall.text}"})
    return Attempt(
        number=launch.attempt,
        started=clock(launch.time),
        ended=clock(end.time) if end else "not recorded",
        resumed_from_step=launch.resumed_from_step,
        last_step=steps[-1].step if steps else None,
        steps=len(steps),
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
