"""What stopped a run, and what each cause cost."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

from sixnd.reports.attempts import end_of, seconds_between, times_of
from sixnd.reports.figures import exact
from sixnd.reports.run_documents import Interruption
from sixnd.reports.step_table import REPEATED, StepTable
from sixnd.specs.checkpoint_events import CheckpointFailed
from sixnd.specs.record import End, Launch, RunRecord
from sixnd.specs.run_events import Alarm, Paused, Started


class _Stop(NamedTuple):
    """One end of an attempt before the last step."""

    cause: str
    attempt: int
    steps: int
    """That were done again."""
    lost_s: float
    """Time of those steps, of a hang, and of the start-up behind it."""
    start_is_told: bool
    stood_s: float | None
    """Until the next attempt; none where there is none, or the record does not tell when this one ended."""
    went_on: bool


def interruptions(record: RunRecord, steps: StepTable) -> list[Interruption]:
    """Every cause that stopped the run, the one that cost most time first."""
    stops = list(_stops(record, steps))
    causes = dict.fromkeys(stop.cause for stop in stops)
    rows = [_of_cause(cause, [stop for stop in stops if stop.cause == cause]) for cause in causes]
    return sorted(rows, key=lambda row: -(row.lost.value or 0.0))


def _of_cause(cause: str, stops: list[_Stop]) -> Interruption:
    lost = exact("duration", sum(stop.lost_s for stop in stops))
    if not all(stop.start_is_told for stop in stops):
        text = f"≥ {lost.text}" if lost.value else "not measured"
        lost = lost.model_copy(update={"value": lost.value or None, "text": text, "full": text})
    stood = [stop.stood_s for stop in stops if stop.stood_s is not None]
    return Interruption(
        cause=cause,
        attempts=[stop.attempt for stop in stops],
        steps=sum(stop.steps for stop in stops),
        lost=lost,
        stood=exact("duration", sum(stood)) if stood else None,
        open=not all(stop.went_on for stop in stops),
    )


def _stops(record: RunRecord, steps: StepTable) -> Iterator[_Stop]:
    launches, started = record.of(Launch), {event.attempt for event in record.of(Started)}
    for launch, after in zip_longest(launches, launches[1:]):
        end = end_of(record, launch.attempt)
        if (after is None and end is None) or (end is not None and end.status == "finished"):
            continue
        lost = (steps.fate == REPEATED) & (steps.cause == launch.attempt)
        times = times_of(record, steps, launch.attempt)
        again = times_of(record, steps, after.attempt).start_up if after is not None else 0.0
        yield _Stop(
            cause=cause_of(record, launch.attempt, end),
            attempt=launch.attempt,
            steps=int(lost.sum()),
            lost_s=float(steps.step_time_s[lost].sum()) + times.hung + again,
            start_is_told=after is None or after.attempt in started,
            stood_s=None if end is None or after is None else seconds_between(end.time, after.time),
            went_on=after is not None,
        )


def cause_of(record: RunRecord, attempt: int, end: End | None) -> str:
    """Why an attempt ended before the last step, as far as its events tell; the same words for the same cause."""
    if end is None:
        return "killed, with no word left"
    for event in reversed(record.events):
        if getattr(event, "attempt", None) != attempt:
            continue
        if isinstance(event, Paused):
            return _of_pause(event.reason)
        if isinstance(event, Alarm) and event.rule == "hang":
            return "hang"
        if isinstance(event, Alarm) and event.action == "stop":
            return f"alarm: {event.rule}"
        if isinstance(event, CheckpointFailed) and event.ends_run:
            return "checkpoint that could not be written"
    return _of_end(end)


def _of_pause(reason: str) -> str:
    if "time_limit" in reason or "Slurm job" in reason:
        return "limit of time"
    return "limit of the budget" if "budget" in reason else "asked to stop"


def _of_end(end: End) -> str:
    if end.status == "paused":
        return "asked to stop"
    if end.status == "interrupted":
        return "stopped by hand"
    return "process killed" if "killed by" in end.message else "error in a process"
