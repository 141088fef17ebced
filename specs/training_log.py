"""Step times out of a training program's log: Megatron-LM and what descends from it, Megatron-Bridge, NeMo.

Megatron prints a line each log interval, whose time is the mean over the interval:
``iteration 10/ 100 | consumed samples: 2560 | elapsed time per iteration (ms): 1234.5 | … | global batch size: 256 |``;
Megatron-DeepSpeed gives ``(s)``. NeMo 2 prints ``iteration 9/99 | … | global_batch_size: 256 | … |
train_step_timing in s: 1.234``. What stands before `iteration` (a rank, a date) is not looked at.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sixnd.specs.errors import InvalidDocumentError, Problem
from sixnd.specs.load import read_text

_ITERATION = re.compile(r"\biteration\s+(\d+)\s*/\s*\d+")
_SECONDS = re.compile(r"(elapsed time per iteration \((ms|s)\)|train_step_timing in (s)):\s*([^\s|]+)")
_BATCH = re.compile(r"\bglobal[ _]batch[ _]size:\s*(\d+)")
_WARM_UP = 5
"""Iterations after a start whose time is not training's alone: kernels are chosen, memory is first allocated."""


@dataclass(frozen=True)
class LogLine:
    """One line that gives a step time."""

    line: int
    """From 1."""
    iteration: int
    seconds: float
    global_batch: int | None
    """Sequences, where the line says so."""


@dataclass(frozen=True)
class TrainingLog:
    """The step times of a log, warm-up left out."""

    file: str
    lines: tuple[LogLine, ...]
    left_out: int
    """Lines of warm-up."""

    @property
    def span(self) -> str:
        """File and the lines used, e.g. ``train.log:12-210``."""
        first, last = self.lines[0].line, self.lines[-1].line
        return f"{self.file}:{first}" + (f"-{last}" if last != first else "")


def read_training_log(path: Path, global_batch: int | None = None, smaller: Sequence[int] = ()) -> TrainingLog:
    """The step times of a log; with ``global_batch``, only if its lines say the same batch.

    Lines of ``smaller`` batches, those of a ramp before it, are not read.

    Raises ``InvalidDocumentError`` with every line whose time or batch cannot be taken, or where no line has any.
    """
    text = read_text(path)
    read = [
        one
        for number, line in enumerate(text.splitlines(), 1)
        if _batch(line) not in smaller
        for one in _read(line, number, global_batch)
    ]
    found = [one for one in read if isinstance(one, LogLine)]
    problems = [one for one in read if isinstance(one, Problem)]
    if not found and not problems:
        message = "no line gives an iteration and its 'elapsed time per iteration (ms)' or 'train_step_timing in s'"
        do = "name a log of Megatron-LM, Megatron-Bridge or NeMo that reached a step"
        problems.append(Problem((), f"is no training log: {message}", do))
    if problems:
        raise InvalidDocumentError(str(path), problems, text)
    used = _without_warm_up(found)
    return TrainingLog(str(path), tuple(used), len(found) - len(used))


def _batch(line: str) -> int | None:
    found = _BATCH.search(line)
    return int(found[1]) if found else None


def _read(line: str, number: int, global_batch: int | None) -> Iterator[LogLine | Problem]:
    iteration, time = _ITERATION.search(line), _SECONDS.search(line)
    if iteration is None or time is None:
        return
    seconds, column = _number(time[4]), time.start(4) + 1
    batch = _BATCH.search(line)
    if seconds is None:
        do = "give a positive number, or take the line out"
        yield Problem((number,), f"'{time[4]}' is no step time", do, number, column)
    elif batch and global_batch is not None and int(batch[1]) != global_batch:
        message = f"global batch size is {batch[1]} here and {global_batch} in the plan"
        yield Problem((number,), message, "give the plan of this run", number, batch.start(1) + 1)
    else:
        unit = 1e-3 if time[2] == "ms" else 1.0
        yield LogLine(number, int(iteration[1]), seconds * unit, int(batch[1]) if batch else None)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < math.inf else None


def _without_warm_up(lines: list[LogLine]) -> list[LogLine]:
    """Lines without those of the first iterations after a start; where nothing else is there, the last line."""
    kept, start, before = [], 0, math.inf
    for line in lines:
        if line.iteration <= before:  # the first line, or the run was started again
            start = line.iteration
        before = line.iteration
        if line.iteration - start >= _WARM_UP:
            kept.append(line)
    return kept or lines[-1:]
