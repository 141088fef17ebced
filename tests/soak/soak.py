"""The order of it all: an undisturbed run, then one that is put to every fault, and a line about each."""

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sixnd.specs.record import Launch, RunRecord, Step
from tests.runner.conftest import ROOT
from tests.soak import files, limits, processes
from tests.soak.comparison import check_attempts, compare
from tests.soak.disk import SmallDisk, small_disk
from tests.soak.fault import Fault
from tests.soak.plan import STEPS
from tests.soak.run import Run

SEED = 6
FAULTS = [*processes.FAULTS, *files.FAULTS, *limits.FAULTS]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Made:
    """A fault, and how many events the record held when it was begun, and when it was over."""

    fault: Fault
    first: int
    last: int


@dataclass(frozen=True)
class Row:
    """One fault of a soak, and what became of the run."""

    fault: Fault
    step: int
    """The last in the record when the fault was made."""
    resumed: int | None
    """The step that the run went on from in new processes; none where they went on."""
    redone: int
    """Steps that were trained again before the next fault."""


@dataclass(frozen=True)
class Soak:
    """A soak that came to its end."""

    rows: list[Row]
    record: RunRecord
    disk: str
    seconds: float


def ordered(seed: int = SEED, only: str = "") -> list[Fault]:
    """The faults in an order that the seed decides; those alone whose names hold what ``only`` tells."""
    chosen = [fault for fault in FAULTS if re.search(only, fault.name)]
    random.Random(seed).shuffle(chosen)  # noqa: S311 - an order, no secret
    return chosen


def soak(work: Path, say: Say, seed: int = SEED, only: str = "") -> Soak:
    """Put a run to the faults; raises ``AssertionError`` where it does not end as one that nobody disturbed."""
    began = time.monotonic()
    undisturbed, disturbed = (Run(work, name, ROOT) for name in ("undisturbed", "disturbed"))
    with small_disk(disturbed.folder.checkpoints_path) as disk:
        try:
            finish(undisturbed)
            say(f"undisturbed: {STEPS} steps, {time.monotonic() - began:.0f} s")
            rows = disturb(disturbed, disk, ordered(seed, only), say)
            compare(undisturbed.record(), disturbed.record())
            check_attempts(disturbed.record())
        finally:
            undisturbed.end_for_certain()
            disturbed.end_for_certain()
        say(f"equal, to the last bit, after {len(rows)} faults and {time.monotonic() - began:.0f} s")
        return Soak(rows, disturbed.record(), disk.kind, time.monotonic() - began)


def finish(run: Run) -> None:
    """Train to the last step."""
    if run.process is None:
        run.start()
    run.ended(0)


def disturb(run: Run, disk: SmallDisk, faults: list[Fault], say: Say) -> list[Row]:
    """Make the faults, spread over the run, and let it finish."""
    made: list[Made] = []
    awaited = ""
    for number, fault in enumerate(faults):
        began, before = time.monotonic(), run.step()
        reach(run, fault, before + (STEPS - before) // (len(faults) - number + 1))
        assert awaited in run.told(), f"the start did not tell '{awaited}': {run.told()[-3000:]}"
        first = len(run.record().events)
        step, launch = run.step(), run.record().last(Launch)
        say(f"attempt {launch.attempt} went on from step {launch.resumed_from_step}; step {step}: {fault.done}")
        fault.act(run, disk)
        awaited = fault.told
        made.append(Made(fault, first, len(run.record().events)))
        ended = "goes on" if fault.code is None else f"exit code {fault.code}"
        say(f"    {fault.name}: {fault.became}; {ended}; {time.monotonic() - began:.0f} s")
    finish(run)
    assert awaited in run.told()
    return rows_of(run.record(), made)


def reach(run: Run, fault: Fault, step: int) -> None:
    """Have the run train, with the rules that the fault needs, and as far as that step where it needs none."""
    rules = fault.rules(run)
    if run.process is not None:
        run.wait_step(step)
        if run.rules == rules:
            return
        run.asked()
    run.start(**rules)
    run.wait_step(0 if rules else step)


def rows_of(record: RunRecord, made: list[Made]) -> list[Row]:
    """What the record tells of each fault: until the next one where it ended the run, else until it was over."""
    rows = []
    for one, following in zip(made, [*(each.first for each in made[1:]), len(record.events)], strict=True):
        last = one.last if one.fault.code is None else following
        before, after = (
            RunRecord(events=part) for part in (record.events[: one.first], record.events[one.first : last])
        )
        done, launches = {step.step for step in before.of(Step)}, after.of(Launch)
        redone: set[int] = set()
        repeated = 0
        for step in after.of(Step):
            repeated += step.step in done | redone
            redone.add(step.step)
        rows.append(Row(one.fault, max(done), launches[0].resumed_from_step if launches else None, repeated))
    return rows
