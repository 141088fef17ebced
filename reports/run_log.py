"""The log of a run: what happened and what people wrote down, in order."""

from sixnd.reports.attempts import clock
from sixnd.reports.documents import LogEntry
from sixnd.specs.checkpoint_events import CheckpointFailed, CheckpointSkipped, LayoutChanged
from sixnd.specs.notes import Note
from sixnd.specs.record import End, Launch, RunRecord
from sixnd.specs.run_events import Alarm

_AT_THE_END = 1 << 62


def run_log(record: RunRecord) -> list[LogEntry]:
    """Every entry, the oldest first; older records tell no times of alarms and checkpoints."""
    found = [(_place(event), entry) for event in record.events if (entry := _entry(event)) is not None]
    return [entry for _, entry in sorted(found, key=lambda each: each[0])]


def _place(event: object) -> tuple[int, int]:
    """Attempt and step; notes are in a file of their own, so they find their place by these."""
    attempt = getattr(event, "attempt", 0)
    if isinstance(event, End):
        return attempt, _AT_THE_END
    return attempt, event.resumed_from_step if isinstance(event, Launch) else getattr(event, "step", 0)


def _entry(event: object) -> LogEntry | None:
    match event:
        case Note():
            return LogEntry(time=clock(event.time), step=event.step, what="note", text=event.text)
        case Launch():
            text = f"attempt {event.attempt} on {event.world_size} × {event.device}, {event.host}"
            return LogEntry(time=clock(event.time), step=event.resumed_from_step, what="started", text=text)
        case End():
            return LogEntry(time=clock(event.time), step=event.step, what=event.status, text=event.message)
        case Alarm():
            text = f"{event.rule}: {event.message}"
            return LogEntry(time=_dated(event.time), step=event.step, what=f"alarm, {event.action}", text=text)
        case CheckpointFailed() | CheckpointSkipped():
            what = "checkpoint failed" if isinstance(event, CheckpointFailed) else "checkpoint skipped"
            return LogEntry(time=_dated(event.time), step=event.step, what=what, text=event.reason)
        case LayoutChanged():
            text = f"{event.before} became {event.after}"
            return LogEntry(time=_dated(event.time), step=event.step, what="layout", text=text)
        case _:
            return None


def _dated(time: str | None) -> str:
    return "" if time is None else clock(time)
