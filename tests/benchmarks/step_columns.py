"""Published rows as columns, so that the step-time model predicts them all in one pass whatever its constants."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sixnd.planner.candidates import Bools, Floats, Ints, Layouts, StageKind, stage_kinds
from sixnd.planner.runtime import Runtime
from sixnd.planner.step_rates import Rates, misaligned, rates_of
from sixnd.planner.step_seconds import seconds_of
from sixnd.planner.step_work import Work, work
from sixnd.specs.families import Architecture
from sixnd.specs.step_family import StepFamily
from tests.benchmarks.cost_truth import unfair
from tests.benchmarks.step_rows import DEVICES, Configuration, RefusedError, Row, configuration

MOST_KINDS = 5
"""Kinds of stages that ``stage_kinds`` tells apart at most."""
SWEEPS = "layout sweeps"
"""Source of the rows of a second file, which are judged by their order."""


@dataclass(frozen=True)
class Columns:
    """Rows with a measured step time, counted once."""

    rows: list[Row]
    source: Any
    group: Any
    """Model and accelerator."""
    family: Any
    log_seconds: Floats
    experts: Bools
    fitted: Bools
    """Pre-training; fine-tuning is judged and never fitted."""
    work: Work
    kinds: list[StageKind]
    layouts: Layouts
    micro_batches: Floats
    runtimes: list[tuple[Architecture, Runtime, str]]
    """Those that differ, with their family; the model tells only whether its products are misaligned."""
    runtime: Ints
    """Each row's place in them."""

    @property
    def sweep(self) -> Bools:
        """Rows of layout sweeps."""
        return np.asarray(self.source == SWEEPS)

    def log_predicted(self, families: Mapping[str, StepFamily]) -> Floats:
        """Log seconds of a step of every row by these constants."""
        found = [rates_of(model, replace(one, family=families[name])) for model, one, name in self.runtimes]
        columns = {f.name: np.array([getattr(r, f.name) for r in found])[self.runtime] for f in fields(Rates)}
        return np.log(seconds_of(self.work, self.kinds, self.layouts, self.micro_batches, Rates(**columns)).total)


def read(throughput: Path, sweeps: Path | None = None) -> Columns:
    """The usable rows of a file of throughput and of one of sweeps."""
    files = [throughput] if sweeps is None else [throughput, sweeps]
    found = [(row, one) for path in files for row, one in _usable(path, path == sweeps)]
    rows, cases = [row for row, _ in found], [one for _, one in found]
    runtimes, places = _distinct(rows, cases)
    kinds = [_padded(stage_kinds(one.model, one.layouts)) for one in cases]
    layouts = _joined([one.layouts for one in cases])
    batch = np.array([one.global_batch for one in cases])
    return Columns(
        rows=rows,
        source=np.array([row["source"] for row in rows]),
        group=np.array([f"{row['model']}|{row['gpu']}" for row in rows]),
        family=np.array([DEVICES[row["gpu"]][0] for row in rows]),
        log_seconds=np.log([float(row["iter_time_s"]) for row in rows]),
        experts=np.array([one.model.experts is not None for one in cases]),
        fitted=np.array([row["task"] == "pretrain" for row in rows]),
        work=_joined([work(one.model, one.layouts, one.sequence, one.runtime) for one in cases]),
        kinds=[_joined(list(each)) for each in zip(*kinds, strict=True)],
        layouts=layouts,
        micro_batches=batch / (layouts.data * layouts.micro_batch),
        runtimes=runtimes,
        runtime=places,
    )


def _padded(kinds: list[StageKind]) -> list[StageKind]:
    """As many kinds of stages for every row; those that a row has none of are counted 0 times."""
    none = replace(kinds[0], count=np.zeros_like(kinds[0].count))
    return kinds + [none] * (MOST_KINDS - len(kinds))


def _usable(path: Path, sweep: bool) -> Iterable[tuple[Row, Configuration]]:
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if unfair(row) or not row["iter_time_s"]:
                continue
            try:
                yield (row | {"source": SWEEPS} if sweep else row), configuration(row)
            except RefusedError:
                continue


def _distinct(rows: list[Row], cases: list[Configuration]) -> tuple[list[tuple[Architecture, Runtime, str]], Ints]:
    keys: dict[str, int] = {}
    found, places = [], []
    for row, one in zip(rows, cases, strict=True):
        runtime = one.runtime
        key = repr((row["gpu"], runtime.precision, runtime.habits, misaligned(one.model), runtime.device))
        if key not in keys:
            keys[key] = len(found)
            found.append((one.model, runtime, DEVICES[row["gpu"]][0]))
        places.append(keys[key])
    return found, np.array(places)


def _joined(items: list[Any]) -> Any:
    """Columns of equal records end to end; a text is taken from the first."""
    first = items[0]
    if isinstance(first, str):
        return first
    if is_dataclass(first):
        return type(first)(**{f.name: _joined([getattr(one, f.name) for one in items]) for f in fields(first)})
    if isinstance(first, tuple):
        return type(first)(*(_joined(list(column)) for column in zip(*items, strict=True)))
    return np.concatenate([np.atleast_1d(one) for one in items])
