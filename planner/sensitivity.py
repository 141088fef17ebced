"""How a run's days and dollars move with each input of the cost model, by evaluating the run again.

One input at a time, all else as planned (the same model, tokens, layout, machines and checkpoint interval): at the
ends of its own 80 % interval, and at 10 % less and more.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from sixnd.planner.failures import Stops, expected_parts
from sixnd.planner.goodput import WallClock, failures_every, known_stops, restart_s
from sixnd.planner.machine import Machine
from sixnd.planner.spread import Span, span
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.checks import offer
from sixnd.specs.plan import Estimate, Sensitivity, Swing
from sixnd.specs.running_costs import Reliability

_TENTH = 0.1


@dataclass(frozen=True)
class _Run:
    """What days and dollars are functions of."""

    work_s: float
    """Seconds of steps and evaluations."""
    stops: Stops | None
    """Failures that decide the wall-clock; none where ``goodput`` does."""
    goodput: float
    interval_s: float
    price_usd_per_hour: float
    held: int
    """Accelerators that are paid for."""

    @property
    def wall_s(self) -> float:
        if self.stops is None:
            return self.work_s / self.goodput
        with np.errstate(over="ignore"):
            return expected_parts(self.stops, self.work_s, self.interval_s).total

    @property
    def money_usd(self) -> float:
        return self.wall_s * self.held / 3600 * self.price_usd_per_hour


class _Input(NamedTuple):
    what: str
    unit: str
    value: float
    interval: Span | None
    at: Callable[[float], _Run]
    """The run with another value of the input."""
    basis: str
    most: float = np.inf


def sensitivities(clock: WallClock, step_time: Estimate, mfu: Estimate, goodput: Estimate | None) -> list[Sensitivity]:
    """Every input that moves the run's days or dollars, the one whose interval moves dollars furthest first.

    An input without an interval is placed by what 10 % of it move.
    """
    rows = [_row(one) for one in _inputs(clock, step_time, mfu, goodput)]
    return sorted(rows, key=_reach, reverse=True)


def _reach(row: Sensitivity) -> tuple[float, float]:
    """Dollars, then seconds, between the ends."""
    ends = row.interval or row.tenth
    dollars = abs(ends.money_at_high_usd - ends.money_at_low_usd)
    return dollars, abs(ends.wall_time_at_high_s - ends.wall_time_at_low_s)


def _row(one: _Input) -> Sensitivity:
    interval = None if one.interval is None else _swing(one, one.interval[0], one.interval[2])
    tenth = _swing(one, one.value * (1 - _TENTH), min(one.value * (1 + _TENTH), one.most))
    return Sensitivity(what=one.what, value=one.value, unit=one.unit, interval=interval, tenth=tenth, basis=one.basis)


def _swing(one: _Input, low: float, high: float) -> Swing:
    at_low, at_high = one.at(low), one.at(high)
    return Swing(
        low=low,
        high=high,
        wall_time_at_low_s=at_low.wall_s,
        wall_time_at_high_s=at_high.wall_s,
        money_at_low_usd=at_low.money_usd,
        money_at_high_usd=at_high.money_usd,
    )


def _inputs(clock: WallClock, step_time: Estimate, mfu: Estimate, goodput: Estimate | None) -> Iterator[_Input]:
    spec, machine, known = clock.spec, clock.machine, clock.machine.accelerator.reliability
    run = _Run(
        work_s=clock.work_s,
        stops=clock.stops,
        goodput=clock.goodput,
        interval_s=clock.interval_s,
        price_usd_per_hour=machine.planned.price_usd_per_accelerator_hour,
        held=spec.accelerators_held,
    )
    yield _Input(
        "MFU",
        mfu.unit,
        mfu.value,
        (mfu.value * step_time.value / step_time.high, mfu.value, mfu.value * step_time.value / step_time.low),
        lambda share: replace(run, work_s=run.work_s * mfu.value / share),
        "step time is as its inverse; the interval is the step time's",
    )
    if run.price_usd_per_hour:
        yield _price(spec, run, machine.planned.price_source)
    yield _goodput(run, goodput)
    if run.stops is not None:
        assert known is not None, "there are stops"
        yield from _failures(clock, run, known)


def _price(spec: BudgetSpec, run: _Run, source: str) -> _Input:
    pinned, contract = spec.cluster.price_usd_per_accelerator_hour is not None, offer(spec)
    return _Input(
        "Price",
        "USD an accelerator-hour",
        run.price_usd_per_hour,
        None if pinned else (contract.low, contract.usd_per_hour, contract.high),
        lambda price: replace(run, price_usd_per_hour=price),
        "set by the spec" if pinned else f"range of offers; {source}",
    )


def _goodput(run: _Run, goodput: Estimate | None) -> _Input:
    basis = "stops, restarts and checkpoints together" if goodput else "a share, by spec or catalog"
    return _Input(
        "Goodput",
        "share of wall-clock",
        run.goodput,
        None if goodput is None else span(goodput),
        lambda share: replace(run, stops=None, goodput=share),
        f"{basis}; never above 1",
        1.0,
    )


def _failures(clock: WallClock, run: _Run, known: Reliability) -> Iterator[_Input]:
    spec = clock.spec
    yield _of_cluster("Failures every", "failures_every", "accelerator-hours", failures_every(spec, known), clock, run)
    yield _of_cluster("Restart in", "restart_time", "s", restart_s(spec, known), clock, run)
    missing = spec.cluster.replacement_time
    if missing is not None:
        yield _of_cluster("Replacement in", "replacement_time", "s", (missing, missing, missing), clock, run)
    spot, ends = known.spot_hours_between_interruptions, known.spot_hours_between_interruptions_range
    if spec.cluster.pricing == "spot" and spot is not None and ends is not None:
        yield _Input(
            "Reclaims every",
            "accelerator-hours",
            spot,
            (ends[0], spot, ends[1]),
            lambda hours: replace(run, stops=_stops(spec, clock, _with_reclaims(clock.machine, known, hours))),
            "the catalog's band of spot interruptions",
        )


def _of_cluster(what: str, field: str, unit: str, value: Span, clock: WallClock, run: _Run) -> _Input:
    """An input that the spec's cluster can pin."""

    def at(pinned: float) -> _Run:
        cluster = clock.spec.cluster.model_copy(update={field: pinned})
        return replace(run, stops=_stops(clock.spec.model_copy(update={"cluster": cluster}), clock))

    fixed = value[0] == value[2]
    basis = "set by the spec" if fixed else "range of published clusters, by the catalog"
    return _Input(what, unit, value[1], None if fixed else value, at, basis)


def _stops(spec: BudgetSpec, clock: WallClock, machine: Machine | None = None) -> Stops | None:
    return known_stops(spec, machine or clock.machine, clock.params)


def _with_reclaims(machine: Machine, known: Reliability, hours: float) -> Machine:
    reliability = known.model_copy(update={"spot_hours_between_interruptions": hours})
    return replace(machine, accelerator=machine.accelerator.model_copy(update={"reliability": reliability}))
