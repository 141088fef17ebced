"""What became of a run's checkpoints and layouts, as sentences among a report's warnings."""

from sixnd.specs.checkpoint_events import CheckpointFailed, CheckpointSkipped, LayoutChanged
from sixnd.specs.record import RunRecord

_SHOWN = 20


def checkpoint_lines(record: RunRecord) -> list[str]:
    """The last checkpoints that failed or were skipped, and changes of layout, one sentence each, the oldest first."""
    told = [_line(event) for event in record.events]
    lines = [line for line in told if line is not None]
    hidden = len(lines) - _SHOWN
    return ([f"{hidden:,} events of checkpoints before the last {_SHOWN} are in the record."] if hidden > 0 else []) + (
        lines[-_SHOWN:]
    )


def _line(event: object) -> str | None:
    if isinstance(event, CheckpointFailed):
        return f"The checkpoint of step {event.step:,} could not be written: {event.reason}."
    if isinstance(event, CheckpointSkipped):
        start = f"the start of attempt {event.attempt}"
        return f"The checkpoint of step {event.step:,} was skipped at {start}: {event.reason}."
    if isinstance(event, LayoutChanged):
        ranks = f"{event.ranks_before:,} to {event.ranks_after:,} ranks"
        return f"After step {event.step:,} the layout changed from {event.before} to {event.after}, from {ranks}."
    return None
