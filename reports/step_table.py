"""The steps of a run as columns: which of them the model stands on, which were lost, and to what."""

from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sixnd.specs.evaluation_record import SourceLosses, TaskScores
from sixnd.specs.record import Launch, RunRecord, Step, Validation
from sixnd.specs.run_events import Alarm

COUNTS, REPEATED, UNAPPLIED = 0, 1, 2
"""Fates of a step: the model stands on it; it was done again after a stop; an alarm undid it or kept it from the
weights."""

_WHOLE = ("attempt", "step", "tokens", "memory_bytes")
_REAL = ("loss", "grad_norm", "learning_rate", "step_time_s", "tokens_per_s", "mfu")


N = TypeVar("N", bound=np.generic)


@dataclass(frozen=True)
class StepTable:
    """One entry a recorded step, in the order in which they were done."""

    attempt: NDArray[np.int64]
    step: NDArray[np.int64]
    tokens: NDArray[np.int64]
    memory_bytes: NDArray[np.int64]
    loss: NDArray[np.float64]
    grad_norm: NDArray[np.float64]
    learning_rate: NDArray[np.float64]
    step_time_s: NDArray[np.float64]
    tokens_per_s: NDArray[np.float64]
    mfu: NDArray[np.float64]
    fate: NDArray[np.int8]
    cause: NDArray[np.int64]
    """Of a repeated step the attempt whose stop it was; of an unapplied one its alarm's place among alarms, from 1, 0
    where no alarm tells; 0 of one that counts."""
    current: NDArray[np.intp]
    """Places of the steps as they stand, in order, each number once: neither repeated nor gone back behind."""

    @property
    def reached(self) -> int:
        """The last step that was done and still stands, 0 before the first."""
        return int(self.step[self.current[-1]]) if self.current.size else 0

    def seconds(self, fate: int, attempt: int | None = None) -> float:
        """Time of the steps of that fate."""
        chosen = self.fate == fate if attempt is None else (self.fate == fate) & (self.attempt == attempt)
        return float(self.step_time_s[chosen].sum())


def step_table(record: RunRecord) -> StepTable:
    """The steps of a record; a run of a million takes about a second."""
    steps: list[Step] = []
    turns: list[tuple[int, Launch | Alarm]] = []
    for event in record.events:
        if isinstance(event, Step):
            steps.append(event)
        elif isinstance(event, Launch | Alarm):
            turns.append((len(steps), event))
    whole: dict[str, NDArray[np.int64]] = {name: _column(steps, name, np.int64) for name in _WHOLE}
    real: dict[str, NDArray[np.float64]] = {name: _column(steps, name, np.float64) for name in _REAL}
    past = _Past(whole["step"], whole["attempt"], _column(steps, "applied", np.bool_))
    for place, turn in turns:
        past.take(place, turn)
    columns: dict[str, Any] = {**whole, **real}
    return StepTable(**columns, fate=past.fate, cause=past.cause, current=_current(whole["step"], past.gone))


def _column(steps: list[Step], name: str, kind: type[N]) -> NDArray[N]:
    return np.fromiter(map(attrgetter(name), steps), dtype=kind, count=len(steps))


class _Past:
    """What became of each step, by the starts and alarms that came behind it."""

    def __init__(self, step: NDArray[np.int64], attempt: NDArray[np.int64], applied: NDArray[np.bool_]) -> None:
        self.step, self.attempt, self.alarms = step, attempt, 0
        self.fate = np.where(applied, COUNTS, UNAPPLIED).astype(np.int8)
        self.cause = np.zeros(step.size, dtype=np.int64)
        self.gone = np.zeros(step.size, dtype=np.bool_)  # gone back behind, to be done again
        self.passed = np.zeros(step.size, dtype=np.bool_)  # rolled back over, never done again

    def take(self, place: int, turn: Launch | Alarm) -> None:
        """Take a start or an alarm that stands behind the first ``place`` steps."""
        before = slice(0, place)
        if isinstance(turn, Launch):
            behind = self.step[before] > turn.resumed_from_step
            self._mark(before, behind & (self.fate[before] == COUNTS), REPEATED, turn.attempt - 1)
            self.gone[before] |= behind & ~self.passed[before]
            return
        self.alarms += 1
        own = (self.step[before] == turn.step) & (self.attempt[before] == turn.attempt)
        self._mark(before, own & (self.fate[before] == UNAPPLIED) & (self.cause[before] == 0), UNAPPLIED, self.alarms)
        if turn.action in ("rollback", "retry"):
            self._went_back(before, turn)

    def _went_back(self, before: slice, alarm: Alarm) -> None:
        to = alarm.step - 1 if alarm.to_step is None else alarm.to_step
        behind = (self.step[before] > to) & (self.step[before] <= alarm.step)
        self._mark(before, behind & (self.fate[before] == COUNTS), UNAPPLIED, self.alarms)
        put = self.passed if alarm.action == "rollback" else self.gone
        put[before] |= behind

    def _mark(self, before: slice, chosen: NDArray[np.bool_], fate: int, cause: int) -> None:
        self.fate[before][chosen], self.cause[before][chosen] = fate, cause


def _current(step: NDArray[np.int64], gone: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Of each number the last that was not gone back behind."""
    standing = np.flatnonzero(~gone)
    if np.all(np.diff(step[standing]) > 0):
        return standing
    _numbers, from_behind = np.unique(step[standing][::-1], return_index=True)
    return standing[standing.size - 1 - from_behind]


def without_steps(record: RunRecord, reached: int) -> RunRecord:
    """The other events, without evaluations of steps that were gone back behind and are not done again yet."""
    return RunRecord(events=list(_others(record, reached)))


def _others(record: RunRecord, reached: int) -> Iterator[object]:
    for event in record.events:
        if isinstance(event, Step):
            continue
        if isinstance(event, Validation | SourceLosses | TaskScores) and event.step > reached:
            continue
        yield event
