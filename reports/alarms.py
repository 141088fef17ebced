"""Alarms of a run: what was seen, what was done about it, and which steps that cost."""

import math

import numpy as np

from sixnd.reports.figures import exact
from sixnd.reports.format import number
from sixnd.reports.run_documents import AlarmMark, AlarmRow
from sixnd.reports.step_table import UNAPPLIED, StepTable
from sixnd.specs.record import RunRecord
from sixnd.specs.run_events import Alarm

_MARKS = 300
"""So many alarms are drawn or listed one by one; a run of a million steps may have many more."""
_DONE = {
    "warn": "trained on",
    "skip": "batch skipped",
    "rollback": "rolled back",
    "retry": "trained again",
    "stop": "run stopped",
    "pause": "run paused",
    "end": "processes ended",
}


def alarm_rows(record: RunRecord, steps: StepTable) -> list[AlarmRow]:
    """Alarms by rule and by what was done, those that cost steps first."""
    alarms: list[Alarm] = record.of(Alarm)
    kinds = dict.fromkeys((alarm.rule, alarm.action) for alarm in alarms)
    rows = [_row(rule, action, alarms, steps) for rule, action in kinds]
    return sorted(rows, key=lambda row: -row.undone)


def _row(rule: str, action: str, alarms: list[Alarm], steps: StepTable) -> AlarmRow:
    own = [place for place, alarm in enumerate(alarms, 1) if (alarm.rule, alarm.action) == (rule, action)]
    chosen = [alarms[place - 1] for place in own]
    undone = (steps.fate == UNAPPLIED) & np.isin(steps.cause, own)
    worst = _worst(chosen)
    return AlarmRow(
        rule=rule,
        action=action,
        done=_DONE[action],
        times=len(chosen),
        first_step=min(alarm.step for alarm in chosen),
        last_step=max(alarm.step for alarm in chosen),
        worst=_told(worst),
        undone=int(undone.sum()),
        lost=exact("duration", float(steps.step_time_s[undone].sum())),
        message=chosen[-1].message,
    )


def _worst(alarms: list[Alarm]) -> Alarm:
    """The one farthest beyond its threshold; of speeds that is the lowest."""
    broken = [alarm for alarm in alarms if not math.isfinite(alarm.value)]
    if broken:
        return broken[-1]
    slow = alarms[0].rule == "throughput"
    return min(alarms, key=lambda alarm: alarm.value) if slow else max(alarms, key=lambda alarm: alarm.value)


def _told(alarm: Alarm) -> str:
    if not math.isfinite(alarm.value):
        return f"{exact('number', alarm.value).text} at step {alarm.step:,}"
    return f"{number(alarm.value)} at step {alarm.step:,}, alarm from {number(alarm.threshold)}"


def alarm_marks(record: RunRecord) -> list[AlarmMark]:
    """Alarms of single steps, to be drawn on curves: the last ones, those that were acted upon before mere warnings."""
    latest = {(alarm.step, alarm.rule): alarm for alarm in record.of(Alarm)}
    chosen = [alarm for alarm in latest.values() if alarm.rule in ("non-finite", "loss-spike", "gradient-spike")]
    chosen.sort(key=lambda alarm: (alarm.action != "warn", alarm.step))
    kept = sorted(chosen[-_MARKS:], key=lambda alarm: alarm.step)
    return [AlarmMark(step=a.step, rule=a.rule, done=_DONE[a.action], message=a.message) for a in kept]


def alarm_lines(rows: list[AlarmRow]) -> list[str]:
    """One warning for all alarms; none where there were none."""
    if not rows:
        return []
    total = sum(row.times for row in rows)
    told = ", ".join(f"{row.rule} {row.times:,} × ({row.done})" for row in rows)
    undone = sum(row.undone for row in rows)
    cost = f"; {undone:,} steps were undone" if undone else ""
    return [f"{total:,} {'alarm' if total == 1 else 'alarms'}: {told}{cost}. See “Spikes and alarms”."]
