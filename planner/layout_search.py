"""The search over layouts: every one that matters, costed, and why the others do not."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sixnd.planner.candidates import Bools, Floats, Ints, Layouts
from sixnd.planner.layout_space import leanest, micro_batched, recomputed, splits
from sixnd.planner.machine import Machine
from sixnd.planner.memory import memory_terms
from sixnd.planner.rules import Setting, violations
from sixnd.planner.runtime import runtime
from sixnd.planner.step_seconds import step_seconds
from sixnd.specs.budget import Layout

MEMORY_MARGIN = 0.05
"""Share of memory kept free: reserved over allocated memory was 1.038 in the median but up to 1.093 on 344 published
ranks, and the catalog's slack holds the median only."""

SHOWN = 5
"""Options shown beside the rejected ones, each another split of the ranks."""
SLOWEST = 1.5
"""How many times the fastest's step time a layout of the Pareto front may take."""
_CHUNK = 1000
"""Splits and micro-batches whose variants are costed at once."""


@dataclass(frozen=True)
class Costed:
    """Layouts that obey every rule, with their cost."""

    layouts: Layouts
    time_s: Floats
    memory_bytes: Floats

    def pick(self, index: Any) -> "Costed":
        """The layouts at an index array or mask."""
        return Costed(self.layouts.pick(index), self.time_s[index], self.memory_bytes[index])

    def joined(self, other: "Costed") -> "Costed":
        """These and those."""
        times = np.concatenate([self.time_s, other.time_s])
        return Costed(
            self.layouts.joined(other.layouts), times, np.concatenate([self.memory_bytes, other.memory_bytes])
        )


@dataclass(frozen=True)
class Space:
    """Every layout within a spec's pins: what breaks a rule, what can fit, and what of it matters, costed."""

    splits: Layouts
    """Every split of the ranks, lawful or not."""
    broken: Bools
    """(rules, splits)."""
    bounds: Costed
    """Lawful splits and micro-batches; their time with nothing recomputed, their memory with everything."""
    costed: Costed
    """Variants that fit, fastest first: the fastest of ``SHOWN`` splits and all of the Pareto front are among them."""
    evaluated: int
    """Layouts whose time or memory was evaluated."""


def explore(setting: Setting, pins: Layout) -> Space:
    """Cost every layout of the machine's ranks within the pins that can matter.

    Exhaustive: what is left out breaks a rule, or is proved not to matter. Rules are looked at before micro-batches and
    recomputation multiply a split: what a split breaks with micro-batches of one sequence and nothing recomputed, each
    of its variants breaks too. Recomputing costs time and saves memory, so nothing recomputed bounds the time and
    everything recomputed the memory of a split's variants; where a costed layout beats both bounds, and as many splits
    as are shown are faster than the first, no variant matters.
    """
    every = splits(setting, pins, setting.machine.planned.count)
    broken = violations(setting, every)
    bare = lawful(setting, micro_batched(setting, pins, every.pick(~broken.any(axis=0))))
    bounds = Costed(bare, _time_s(setting, bare), memory_bytes(setting, leanest(bare)))
    costed = bounds.pick(slice(0, 0))
    left = bounds.pick(bounds.memory_bytes <= usable_memory(setting.machine))
    evaluated = len(bare)
    while len(left.layouts):
        now = _promising(left)
        variants = _cost(setting, lawful(setting, recomputed(setting, pins, left.layouts.pick(now))))
        evaluated += len(variants.layouts)
        costed = _that_matter(costed.joined(variants.pick(variants.memory_bytes <= usable_memory(setting.machine))))
        rest = np.ones(len(left.layouts), dtype=bool)
        rest[now] = False
        left = left.pick(rest)
        left = left.pick(_may_matter(left, costed))
    return Space(every, broken, bounds, costed, evaluated)


def lawful(setting: Setting, layouts: Layouts) -> Layouts:
    """Those that obey every rule."""
    return layouts.pick(~violations(setting, layouts).any(axis=0))


def _cost(setting: Setting, layouts: Layouts) -> Costed:
    return Costed(layouts, _time_s(setting, layouts), memory_bytes(setting, layouts))


def _time_s(setting: Setting, layouts: Layouts) -> Floats:
    if not len(layouts):
        return np.zeros(0)
    model, batch = setting.model, setting.global_batch
    where = runtime(setting.machine, model.adapters)
    return step_seconds(model.architecture, layouts, model.sequence, batch, where).total


def memory_bytes(setting: Setting, layouts: Layouts) -> Floats:
    """Bytes on the fullest rank of each."""
    if not len(layouts):
        return np.zeros(0)
    return memory_terms(setting.model, layouts, setting.machine, setting.global_batch).total


def _promising(bounds: Costed) -> Ints:
    """The fastest and the leanest by their bounds: they leave least of the others."""
    if len(bounds.layouts) <= 2 * _CHUNK:
        return np.arange(len(bounds.layouts))
    fastest = np.argpartition(bounds.time_s, _CHUNK)[:_CHUNK]
    return np.union1d(fastest, np.argpartition(bounds.memory_bytes, _CHUNK)[:_CHUNK])


def _that_matter(costed: Costed) -> Costed:
    """Fastest first: the fastest of the fastest splits, and what nothing beats in time and memory."""
    one = costed.layouts
    keys = (one.virtual, one.pipeline, one.tensor, costed.memory_bytes, costed.time_s)
    costed = costed.pick(np.lexsort(keys))
    lean = np.minimum.accumulate(costed.memory_bytes)
    matters = np.append(True, costed.memory_bytes[1:] < lean[:-1])[: len(lean)]
    matters[fastest_of_splits(costed)] = True
    return costed.pick(matters)


def _may_matter(bounds: Costed, costed: Costed) -> Bools:
    """Whose variants may be among the shown or on the front."""
    if not len(costed.layouts):
        return np.ones(len(bounds.layouts), dtype=bool)
    shown = fastest_of_splits(costed)
    slowest_shown = costed.time_s[shown[-1]] if len(shown) == SHOWN else np.inf
    lean = np.append(np.inf, np.minimum.accumulate(costed.memory_bytes))
    beaten = lean[np.searchsorted(costed.time_s, bounds.time_s, side="right")] <= bounds.memory_bytes
    on_front = ~beaten & (bounds.time_s <= SLOWEST * costed.time_s[0])
    return np.asarray(on_front | (bounds.time_s < slowest_shown))


def fastest_of_splits(costed: Costed) -> Ints:
    """Of layouts in order of time, the first of each of the ``SHOWN`` fastest splits, told apart as a reader does."""
    names = ("tensor", "pipeline", "context", "expert", "expert_tensor")
    columns = np.stack([getattr(costed.layouts, name) for name in names])
    _, first = np.unique(columns, axis=1, return_index=True)
    return np.sort(first)[:SHOWN]


def usable_memory(machine: Machine) -> float:
    """Bytes of one rank that a plan may fill."""
    return machine.planned.memory_bytes * (1 - MEMORY_MARGIN)
