"""A run with its failures, event by event: many replicas at once, from one seed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sixnd.planner.failures import Draws, Indices, Stops
from sixnd.planner.laws import Array

_EVENTS = 64
"""Stops that are drawn at once for each replica."""


@dataclass
class Outcome:
    """What became of the replicas."""

    wall_s: Array
    stops: Array
    waited_s: Array


@dataclass(frozen=True)
class _Block:
    """So many events of each running replica: how long each lasted, what it saved, whether it was a stop."""

    lasted_s: Array
    saved_s: Array
    stopped: NDArray[np.bool_]


def simulate(stops: Stops, interval_s: float, draws: Draws, seed: int) -> Outcome:
    """Wall-clock and stops of each replica until its last checkpoint is written.

    Events: a stop after an exponential time; a restart, which a further stop begins anew; a checkpoint each
    ``interval_s`` of training, which counts once it is written; a machine that goes to repair and comes back.
    """
    generator = np.random.default_rng(seed)
    count = draws.train_s.size
    fleet = _Fleet(stops, count, generator)
    outcome = Outcome(np.zeros(count), np.zeros(count), np.zeros(count))
    left, rows, restarting = draws.train_s.astype(float), np.arange(count), False
    while rows.size:
        block = _play(stops, interval_s, draws.of(rows), left[rows], restarting, generator)
        fleet.wait(rows, outcome, block)
        outcome.wall_s[rows] += block.lasted_s.sum(axis=1)
        outcome.stops[rows] += block.stopped.sum(axis=1)
        left[rows] -= block.saved_s.sum(axis=1)
        rows, restarting = rows[block.stopped.all(axis=1)], True
    outcome.wall_s += outcome.waited_s
    return outcome


def _play(
    stops: Stops, interval_s: float, draws: Draws, left: Array, restarting: bool, generator: np.random.Generator
) -> _Block:
    """Stops until the run ends or the block is full; ``restarting`` unless the run has just begun."""
    shape = (left.size, _EVENTS)
    until_stop = generator.standard_exponential(shape) * draws.between_s[:, None]
    restart = np.repeat(draws.restart_s[:, None], _EVENTS, axis=1)
    if not restarting:
        restart[:, 0] = 0.0
    trained = until_stop - restart  # below zero where the restart itself was stopped
    saved = np.floor(np.maximum(trained - stops.lag_s, 0.0) / (interval_s + stops.stall_s)) * interval_s
    todo = left[:, None] - np.cumsum(saved, axis=1) + saved
    to_end = todo + np.ceil(todo / interval_s) * stops.stall_s + stops.lag_s
    ends = trained >= to_end
    end = np.where(ends.any(axis=1), ends.argmax(axis=1), _EVENTS)[:, None]
    stopped, ended = np.arange(_EVENTS) < end, np.arange(_EVENTS) == end
    lasted = np.where(stopped, until_stop, np.where(ended, restart + to_end, 0.0))
    return _Block(lasted, np.where(stopped, saved, 0.0), stopped)


class _Fleet:
    """Machines under repair: when each of the spares, and one machine more, is back."""

    def __init__(self, stops: Stops, replicas: int, generator: np.random.Generator) -> None:
        self.stops, self.generator = stops, generator
        self.back_s = np.full((replicas, stops.spares + 1), -np.inf)

    def wait(self, rows: Indices, outcome: Outcome, block: _Block) -> None:
        """Add to each replica what it waits for machines after the stops of a block."""
        if not self.stops.replacement_s or not self.stops.replaced_share:
            return
        times = outcome.wall_s[rows, None] + np.cumsum(block.lasted_s, axis=1)
        taken = block.stopped & (self.generator.random(block.stopped.shape) < self.stops.replaced_share)
        for event in np.flatnonzero(taken.any(axis=0)):
            hit = rows[taken[:, event]]
            now = times[taken[:, event], event] + outcome.waited_s[hit]
            self.back_s[hit, self.back_s[hit].argmin(axis=1)] = now + self.stops.replacement_s
            outcome.waited_s[hit] += np.maximum(self.back_s[hit].min(axis=1) - now, 0.0)
