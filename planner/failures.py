"""What failures cost a run: checkpoint interval, wall-clock and its parts, in closed form.

A run stops at random (exponential times between stops), restarts from its last checkpoint, and may stop again while
it restarts. Daly (2006) gives the expected wall-clock of such a run exactly; here checkpoints may be written while
training goes on, and a stop may take a machine away that a spare replaces. ``simulation.py`` plays the same run event
by event.
"""

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from sixnd.planner.laws import Array

Indices = NDArray[np.intp]

DALY = "Daly 2006, Future Generation Computer Systems 22(3)"


@dataclass(frozen=True)
class Stops:
    """How often a run stops unplanned, and what a stop costs; all times in seconds of wall-clock."""

    between_s: float
    """Mean time between two stops of the whole cluster."""
    restart_s: float
    """From a stop until training goes on: detection, scheduling, initialisation, loading."""
    write_s: float
    """From a checkpoint's beginning until one can restart from it."""
    stall_s: float
    """How long of that training waits."""
    replaced_share: float = 0.0
    """Share of stops that take a machine away."""
    replacement_s: float = 0.0
    """How long a machine that was taken away is missing."""
    spares: int = 0
    """Machines held ready to take its place."""

    @property
    def lag_s(self) -> float:
        """How long training goes on before a checkpoint counts."""
        return self.write_s - self.stall_s


@dataclass(frozen=True)
class Parts:
    """Expected wall-clock by what it is spent on, in seconds; the parts sum to the whole."""

    training: float
    checkpoints: float
    """Waiting for checkpoints to be written."""
    lost_work: float
    """Training that is done again, since it was not in the last checkpoint."""
    restarts: float
    waiting: float
    """For a machine, where no spare is left."""

    def plain(self) -> dict[str, float]:
        """Seconds by name."""
        return asdict(self)

    @property
    def total(self) -> float:
        """Wall-clock in seconds."""
        return sum(self.plain().values())

    @property
    def goodput(self) -> float:
        """Share of wall-clock that trains."""
        return self.training / self.total


@dataclass(frozen=True)
class Draws:
    """What may differ from one run to another, in seconds; one value each."""

    train_s: Array
    between_s: Array
    restart_s: Array

    @classmethod
    def alike(cls, stops: Stops, train_s: float, runs: int) -> "Draws":
        """Runs that differ by nothing but luck."""
        return cls(*(np.full(runs, value) for value in (train_s, stops.between_s, stops.restart_s)))

    def of(self, rows: Indices) -> "Draws":
        """Some of the runs."""
        return Draws(self.train_s[rows], self.between_s[rows], self.restart_s[rows])


def young_interval_s(stall_s: float, between_s: float) -> float:
    """Training between two checkpoints that loses least, to first order (Young 1974, CACM 17(9))."""
    return math.sqrt(2 * stall_s * between_s)


def daly_interval_s(stall_s: float, between_s: float) -> float:
    """The same to higher order (Daly 2006, the perturbation solution).

    Where writing takes twice the time between stops or more, it is the time between stops.
    """
    if stall_s >= 2 * between_s:
        return between_s
    x = stall_s / (2 * between_s)
    return young_interval_s(stall_s, between_s) * (1 + math.sqrt(x) / 3 + x / 9) - stall_s


def best_interval_s(stops: Stops) -> float:
    """Daly's interval, but a checkpoint never begins before the last one is written."""
    return max(daly_interval_s(stops.stall_s, stops.between_s), stops.lag_s)


def running_s(stops: Stops, interval_s: float, draws: Draws) -> Array:
    """Expected wall-clock of training with a checkpoint each ``interval_s`` of it, without waiting for machines.

    Each interval is tried until it and its checkpoint pass without a stop. With M between stops, R to restart, τ of
    work, a stall δ and a lag w before the checkpoint counts, an interval takes
    M · exp((R + w)/M) · (exp((τ + δ)/M) − 1): Daly's equation for the complete model, in which a lag costs as a longer
    restart does.
    """
    between = draws.between_s
    retried = np.expm1((interval_s + stops.stall_s) / between)
    found: Array = draws.train_s / interval_s * between * np.exp((draws.restart_s + stops.lag_s) / between) * retried
    return found


def expected_parts(stops: Stops, train_s: float, interval_s: float) -> Parts:
    """Expected wall-clock of so many seconds of training with a checkpoint each ``interval_s`` of it.

    Waiting for machines is a share of the whole: Erlang's B, since a stop finds each machine under repair with the same
    chance as a call finds each line busy.
    """
    running = float(running_s(stops, interval_s, Draws.alike(stops, train_s, 1))[0])
    restarts = -running * math.expm1(-stops.restart_s / stops.between_s)
    checkpoints = train_s / interval_s * stops.stall_s
    blocked = waiting_share(stops)
    return Parts(
        training=train_s,
        checkpoints=checkpoints,
        lost_work=running - train_s - checkpoints - restarts,
        restarts=restarts,
        waiting=running * blocked / (1 - blocked),
    )


def waiting_share(stops: Stops) -> float:
    """Share of wall-clock in which no spare is left: Erlang's B of spares + 1 machines under repair."""
    return float(waiting_shares(stops, np.array([stops.between_s]))[0])


def waiting_shares(stops: Stops, between_s: Array) -> Array:
    """The same of runs that differ by the time between two stops."""
    load = stops.replaced_share * stops.replacement_s / between_s
    blocked = np.ones_like(load)
    for machines in range(1, stops.spares + 2):
        blocked = load * blocked / (machines + load * blocked)
    return blocked


def expected_stops(stops: Stops, parts: Parts) -> float:
    """How often the run is expected to stop; while it waits for a machine it cannot."""
    return (parts.total - parts.waiting) / stops.between_s
