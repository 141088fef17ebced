"""The run comes to a limit: of the clock, or of its budget."""

from typing import Any

from sixnd.runner.supervision.limits import spent_so_far
from sixnd.specs.record import Launch
from tests.soak.disk import SmallDisk
from tests.soak.fault import Fault
from tests.soak.plan import plan
from tests.soak.run import Run

_FACTOR = 1.2


def time_is_up(run: Run, _disk: SmallDisk) -> None:
    assert "supervision.time_limit is near" in run.ended(7)


def budget_spent(run: Run, _disk: SmallDisk) -> None:
    """Started with a budget of a second more than was spent, so that it is spent before the first step is done."""
    run.asked()
    spent_s = spent_so_far(plan(), run.record()).time_s
    poor: dict[str, Any] = {"budget_factor": _FACTOR, "budget_s": (spent_s + 1.0) / _FACTOR}
    run.start(**poor)
    assert "of wall-clock spent" in run.ended(7)
    launches = len(run.record().of(Launch))
    assert run.tried(**poor) == 7
    assert "raise supervision.budget_factor" in run.told()
    assert len(run.record().of(Launch)) == launches


FAULTS = [
    Fault(
        "clock limit",
        "started with `time_limit: 8 s`",
        "paused with a checkpoint",
        time_is_up,
        rules=lambda _run: {"time_limit": 8.0},
        code=7,
    ),
    Fault(
        "budget spent",
        "paused; started with a budget of one second more than was spent; the same command again; budget raised",
        "paused with a checkpoint; the second start was refused; went on with more",
        budget_spent,
        code=7,
    ),
]
