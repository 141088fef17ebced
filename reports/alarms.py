"""Alarms of a run, as sentences among a report's warnings."""

from sixnd.specs.record import RunRecord
from sixnd.specs.run_events import Alarm

_SHOWN = 20


def alarm_lines(record: RunRecord) -> list[str]:
    """The last alarms, one sentence each, the oldest first; an alarm that a resumed run raised again is told once."""
    latest = {(alarm.step, alarm.rule): alarm for alarm in record.of(Alarm)}
    alarms = list(latest.values())
    lines = [f"Step {alarm.step:,}, {alarm.rule}: {alarm.message}." for alarm in alarms[-_SHOWN:]]
    hidden = len(alarms) - len(lines)
    return ([f"{hidden:,} alarms before the last {_SHOWN} are in the record."] if hidden else []) + lines
