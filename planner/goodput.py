"""Goodput: how much of the wall-clock trains, from the catalog's failures, in closed form and by simulation.

A spec that pins ``cluster.goodput``, and a machine whose failures the catalog does not know, have a share instead.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sixnd.planner.cost import scaled
from sixnd.planner.failures import (
    DALY,
    Draws,
    Parts,
    Stops,
    best_interval_s,
    expected_parts,
    expected_stops,
    running_s,
    waiting_shares,
)
from sixnd.planner.laws import Array
from sixnd.planner.machine import Machine
from sixnd.planner.simulation import simulate
from sixnd.planner.spread import Span, drawn, span
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import InfeasibleError
from sixnd.specs.plan import Estimate
from sixnd.specs.running_costs import Reliability

AT_LEAST = 10
"""Checkpoints in a run."""
_MOMENTS_BYTES, _MASTER_BYTES = 8, 4
"""Bytes a parameter of the optimizer's FP32 state; weights that are FP32 are their own master copy."""
_RUNS = 256
_SEED = 20241007
_MOST_STOPS = 4096
"""With more stops luck moves the time lost by less than 2 %, and the closed form stands for the simulation."""
_LEAST_GOODPUT = 0.01


@dataclass(frozen=True)
class Hazards:
    """What stops a run: events an accelerator-hour."""

    failures: float
    reclaims: float
    """Of spot capacity."""
    hardware_share: float

    @property
    def total(self) -> float:
        """Stops an accelerator-hour."""
        return self.failures + self.reclaims

    @property
    def replaced_share(self) -> float:
        """Share of stops that take a machine away."""
        return (self.failures * self.hardware_share + self.reclaims) / self.total


def failures_every(spec: BudgetSpec, known: Reliability) -> Span:
    """Accelerator-hours between two failures: the spec's, or the catalog's with its interval."""
    (low, high), pinned = known.hours_between_failures_range, spec.cluster.failures_every
    return (low, known.hours_between_failures, high) if pinned is None else (pinned, pinned, pinned)


def restart_s(spec: BudgetSpec, known: Reliability) -> Span:
    """From a stop until the state is loaded: the spec's, or the catalog's with its interval."""
    (low, high), pinned = known.restart_range_s, spec.cluster.restart_time
    return (low, known.restart_s, high) if pinned is None else (pinned, pinned, pinned)


def hazards(spec: BudgetSpec, known: Reliability) -> Hazards:
    """Failures, and with spot pricing the seller's reclaims."""
    spot = known.spot_hours_between_interruptions
    reclaims = 1 / spot if spec.cluster.pricing == "spot" and spot is not None else 0.0
    return Hazards(1 / failures_every(spec, known)[1], reclaims, known.hardware_share)


def checkpoint_bytes(machine: Machine, params: int) -> float:
    """Size of a checkpoint: the weights, and the optimizer's state."""
    master = 0 if machine.precision == "fp32" else _MASTER_BYTES
    return float(params * (machine.element_bytes + master + _MOMENTS_BYTES))


def known_stops(spec: BudgetSpec, machine: Machine, params: int) -> Stops | None:
    """What the catalog says of this cluster's failures; none where it knows nothing."""
    known, count = machine.accelerator.reliability, machine.planned.count
    if known is None:
        return None
    found = hazards(spec, known)
    rate = min(known.checkpoint_bytes_per_s * count, known.storage_bytes_per_s)
    write_s = checkpoint_bytes(machine, params) / rate
    return Stops(
        between_s=3600 / (count * found.total),
        restart_s=restart_s(spec, known)[1] + write_s,
        write_s=write_s,
        stall_s=write_s * spec.checkpoints.stall_share,
        replaced_share=found.replaced_share,
        replacement_s=spec.cluster.replacement_time or 0.0,
        spares=spec.cluster.spares,
    )


@dataclass(frozen=True)
class WallClock:
    """The wall-clock of a run: so many steps of so many seconds, on machines that fail."""

    spec: BudgetSpec
    machine: Machine
    params: int
    steps: int
    step_time_s: float
    """Of the full batch."""
    saved_s: float = 0.0
    """Seconds that steps of smaller batches take less."""
    evaluated_s: float = 0.0
    """Seconds of all evaluations."""

    @property
    def train_s(self) -> float:
        """Seconds of training."""
        return self.steps * self.step_time_s - self.saved_s

    @property
    def work_s(self) -> float:
        """Seconds of training and evaluations: what a run without stops and checkpoints takes."""
        return self.train_s + self.evaluated_s

    @property
    def evaluated_share(self) -> float:
        """Seconds of all evaluations over those of training."""
        return self.evaluated_s / self.train_s

    def at_step_time(self, step_time_s: float) -> "WallClock":
        """The same run where every step and evaluation takes as many times longer as a step of the full batch."""
        times = step_time_s / self.step_time_s
        saved_s, evaluated_s = self.saved_s * times, self.evaluated_s * times
        return replace(self, step_time_s=step_time_s, saved_s=saved_s, evaluated_s=evaluated_s)

    @cached_property
    def stops(self) -> Stops | None:
        """Failures that decide the wall-clock; none where a share of goodput does."""
        return None if self.spec.cluster.goodput is not None else known_stops(self.spec, self.machine, self.params)

    @property
    def share(self) -> float | None:
        """The spec's share of goodput, or the catalog's; none where failures decide."""
        pinned = self.spec.cluster.goodput
        return self.machine.accelerator.goodput if pinned is None else pinned

    @property
    def interval_s(self) -> float:
        """Seconds of work between two checkpoints: the spec's, or Daly's and at least ten in a run.

        Not rounded to whole steps, so that a longer run never takes less time.
        """
        pinned = self.spec.checkpoints.every_steps
        if pinned is not None:
            return pinned * self.step_time_s * (1 + self.evaluated_share)
        tenth = self.work_s / AT_LEAST
        known = known_stops(self.spec, self.machine, self.params)
        return max(self.step_time_s, tenth if known is None else min(tenth, best_interval_s(known)))

    @cached_property
    def parts(self) -> Parts:
        """Expected wall-clock by what it is spent on; only where failures decide.

        Raises ``InfeasibleError`` where the run stops so often that less than 1 % of the time would get it anywhere.
        """
        assert self.stops is not None, "a share of goodput has no parts"
        with np.errstate(over="ignore", invalid="ignore"):
            found = expected_parts(self.stops, self.work_s, self.interval_s)
        if not found.training + found.checkpoints > _LEAST_GOODPUT * found.total:
            raise InfeasibleError(
                f"{self.spec.accelerators.count:,} {self.spec.accelerators.name} stop every {self.stops.between_s:.3g} "
                f"s and take {self.stops.restart_s:.3g} s to restart: less than {_LEAST_GOODPUT:.0%} of the time would "
                "get it anywhere",
                "use fewer accelerators, another cluster.pricing or more cluster.spares, or set cluster.goodput",
            )
        return found

    @property
    def expected_s(self) -> float:
        """Expected wall-clock."""
        return self.parts.total if self.share is None else self.work_s / self.share

    @property
    def goodput(self) -> float:
        """Share of wall-clock that trains or evaluates."""
        return self.parts.goodput if self.share is None else self.share


def most_steps(fits: Callable[[int], bool], above: int) -> int:
    """The most steps that fit, where ``above`` do not; 0 where one does not."""
    low, high = 0, above
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


@dataclass(frozen=True)
class RunEstimates:
    """Wall-clock, and where failures decide it, goodput and how many stops are expected."""

    wall: Estimate
    goodput: Estimate | None
    failures: Estimate | None


def run_estimates(clock: WallClock, train: Estimate) -> RunEstimates:
    """Estimates with 80 % intervals, of many simulated runs whose steps take ``train``; evaluations go with them.

    Their step time, failure rate and restart differ as these numbers' own intervals say.
    """
    stops, share, work = clock.stops, clock.share, _work(clock, train)
    if stops is None:
        assert share is not None, "an accelerator has either failures or a share"
        origin = "catalog" if clock.spec.cluster.goodput is None else "spec"
        basis = f"{work.basis} / goodput {share:g} ({origin})"
        return RunEstimates(scaled(work, 1 / share, "s", basis), None, None)
    draws = _draws(clock, stops, work)
    wall = _simulated(clock, stops, draws)
    stopped = wall * (1 - waiting_shares(stops, draws.between_s)) / draws.between_s
    parts, runs = clock.parts, f"interval: {_RUNS} simulated runs over the intervals of step time, failures and restart"
    return RunEstimates(
        wall=_estimate(parts.total, wall, "s", f"{work.basis} / goodput {parts.goodput:.4f}; {runs}"),
        goodput=_estimate(
            parts.goodput, draws.train_s / wall, "share of wall-clock", f"{DALY}, failures of the catalog; {runs}"
        ),
        failures=_estimate(
            expected_stops(stops, parts),
            stopped,
            "stops",
            f"wall-clock over {stops.between_s / 3600:.4g} h between stops (catalog); interval of both, without luck",
        ),
    )


def _work(clock: WallClock, train: Estimate) -> Estimate:
    """Steps and evaluations."""
    share = clock.evaluated_share
    basis = f"training time, {share:.2%} more for evaluations," if share else "training time"
    return scaled(train, 1 + share, "s", basis)


def _draws(clock: WallClock, stops: Stops, work: Estimate) -> Draws:
    known, generator = clock.machine.accelerator.reliability, np.random.default_rng(_SEED)
    assert known is not None, "there are stops"
    central = hazards(clock.spec, known)
    rate = 1 / drawn(*failures_every(clock.spec, known), _RUNS, generator)
    spot, ends = known.spot_hours_between_interruptions, known.spot_hours_between_interruptions_range
    if central.reclaims and spot is not None and ends is not None:
        rate = rate + 1 / drawn(ends[0], spot, ends[1], _RUNS, generator)
    restart = drawn(*restart_s(clock.spec, known), _RUNS, generator)
    return Draws(
        train_s=drawn(*span(work), _RUNS, generator),
        between_s=stops.between_s * central.total / rate,
        restart_s=restart + stops.write_s,
    )


def _simulated(clock: WallClock, stops: Stops, draws: Draws) -> Array:
    """Wall-clock of each run; of those with very many stops the expected one."""
    with np.errstate(over="ignore"):
        running = running_s(stops, clock.interval_s, draws)
    wall: Array = running / (1 - waiting_shares(stops, draws.between_s))
    few = running / draws.between_s <= _MOST_STOPS
    wall[few] = simulate(stops, clock.interval_s, draws.of(np.flatnonzero(few)), _SEED).wall_s
    return wall


def _estimate(value: float, draws: Array, unit: str, basis: str) -> Estimate:
    """The expected value with the draws' 10 % and 90 % quantiles.

    A rare long wait may pull the expected value out of them: then the interval reaches to it.
    """
    low, high = (float(each) for each in np.quantile(draws, [0.1, 0.9]))
    assert math.isfinite(high), "goodput is bounded from below"
    return Estimate(value=value, low=min(low, value), high=max(high, value), unit=unit, basis=basis)
