"""Which layout is fastest among all that obey the rules and fit, what the others lose, and what would make one fit."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from sixnd.planner.candidates import Bools, Floats, Ints, Layouts
from sixnd.planner.layout_space import leanest, micro_batched, recomputed, splits
from sixnd.planner.machine import Machine
from sixnd.planner.memory import memory_terms
from sixnd.planner.pareto import front, thinned, worthwhile
from sixnd.planner.rules import RULES, Setting, problems, violations
from sixnd.planner.runtime import runtime
from sixnd.planner.step_seconds import step_seconds
from sixnd.specs.budget import BudgetSpec, Layout
from sixnd.specs.errors import InfeasibleError
from sixnd.specs.plan import LayoutOption, PlannedLayout, TimeBreakdown

MEMORY_MARGIN = 0.05
"""Share of memory kept free: reserved over allocated memory was 1.038 in the median but up to 1.093 on 344 published
ranks, and the catalog's slack holds the median only."""

SHOWN = 5
"""Options shown beside the rejected ones, each another split of the ranks."""
SLOWEST = 1.5
"""How many times the fastest's step time a layout of the Pareto front may take."""
_FRONT = 12
_WORTHWHILE = 0.01
"""Of the memory that a plan may fill: what a layout of the front must save over the one before it."""
_CHUNK = 1000


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


@dataclass(frozen=True)
class Found:
    """Outcome of a search: the fastest layout that fits, and what else was considered."""

    layout: PlannedLayout
    options: tuple[LayoutOption, ...]
    pareto: tuple[LayoutOption, ...]
    """Layouts that no other beats in both time and memory, fastest first."""
    considered: int
    """Splits of the ranks."""
    allowed: int
    """Splits with a micro-batch that obey every rule."""
    fitting: int
    """Those of them that fit with some recomputation."""


def search(setting: Setting, pins: Layout, spec: BudgetSpec | None = None) -> Found:
    """The fastest layout for a model and batch on a machine; ``pins`` are the spec's.

    Raises ``InfeasibleError`` where no candidate obeys the rules or fits; its message says what would help.
    """
    space = explore(setting, pins)
    if not len(space.bounds.layouts):
        raise _no_layout(setting, pins, space, spec)
    if not len(space.costed.layouts):
        raise InfeasibleError(no_memory(setting, pins, space))
    options = [*_ranking(space.costed), *_out_of_memory(setting, space), *_rule_breakers(setting, space)]
    fitting = int((space.bounds.memory_bytes <= usable_memory(setting.machine)).sum())
    counts = (len(space.splits), len(space.bounds.layouts), fitting)
    return Found(options[0].layout, tuple(options), _front(setting, space.costed), *counts)


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
    bounds = Costed(bare, _time_s(setting, bare), _memory_bytes(setting, leanest(bare)))
    costed = _none(bounds)
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
    return Costed(layouts, _time_s(setting, layouts), _memory_bytes(setting, layouts))


def _none(costed: Costed) -> Costed:
    return costed.pick(slice(0, 0))


def _time_s(setting: Setting, layouts: Layouts) -> Floats:
    if not len(layouts):
        return np.zeros(0)
    model, batch = setting.model, setting.global_batch
    return step_seconds(model.architecture, layouts, model.sequence, batch, runtime(setting.machine)).total


def _memory_bytes(setting: Setting, layouts: Layouts) -> Floats:
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
    _, first = np.unique(_split_columns(costed.layouts), axis=1, return_index=True)
    matters[np.sort(first)[:SHOWN]] = True
    return costed.pick(matters)


def _may_matter(bounds: Costed, costed: Costed) -> Bools:
    """Whose variants may be among the shown or on the front."""
    if not len(costed.layouts):
        return np.ones(len(bounds.layouts), dtype=bool)
    _, first = np.unique(_split_columns(costed.layouts), axis=1, return_index=True)
    shown = np.sort(first)[:SHOWN]
    slowest_shown = costed.time_s[shown[-1]] if len(shown) == SHOWN else np.inf
    lean = np.append(np.inf, np.minimum.accumulate(costed.memory_bytes))
    beaten = lean[np.searchsorted(costed.time_s, bounds.time_s, side="right")] <= bounds.memory_bytes
    on_front = ~beaten & (bounds.time_s <= SLOWEST * costed.time_s[0])
    return np.asarray(on_front | (bounds.time_s < slowest_shown))


def _split_columns(layouts: Layouts) -> Ints:
    """What tells splits apart for a reader: (degrees, layouts)."""
    names = ("tensor", "pipeline", "context", "expert", "expert_tensor")
    return np.stack([getattr(layouts, name) for name in names])


def step_time(setting: Setting, layout: PlannedLayout) -> TimeBreakdown:
    """Seconds of one step of one layout, by what they are spent on."""
    model = setting.model
    found = step_seconds(
        model.architecture, Layouts.of(layout), model.sequence, setting.global_batch, runtime(setting.machine)
    )
    names = TimeBreakdown.model_fields.keys() & {f.name for f in fields(found)}
    return TimeBreakdown(**{name: float(getattr(found, name)[0]) for name in names})


def usable_memory(machine: Machine) -> float:
    """Bytes of one rank that a plan may fill."""
    return machine.planned.memory_bytes * (1 - MEMORY_MARGIN)


def _ranking(costed: Costed) -> list[LayoutOption]:
    """The fastest, and the best of the rest that differ in how ranks are split."""
    _, first = np.unique(_split_columns(costed.layouts), axis=1, return_index=True)
    return [_option(costed, int(i), chosen=i == 0) for i in np.sort(first)[:SHOWN]]


def _option(costed: Costed, i: int, why_not: str | None = None, *, chosen: bool = False) -> LayoutOption:
    slower = "" if i == 0 else f"{costed.time_s[i] / costed.time_s[0] - 1:.1%} slower"
    return LayoutOption(
        layout=costed.layouts.document(i),
        step_time_s=float(costed.time_s[i]),
        memory_bytes=float(costed.memory_bytes[i]),
        chosen=chosen,
        why_not=slower if why_not is None else why_not,
    )


def _front(setting: Setting, costed: Costed) -> tuple[LayoutOption, ...]:
    """The Pareto front of time and memory; money goes with time, since every layout uses the same ranks."""
    members = front(np.stack([costed.time_s, costed.memory_bytes], axis=1))
    members = members[costed.time_s[members] <= SLOWEST * costed.time_s[0]]
    members = worthwhile(members, costed.memory_bytes[members], _WORTHWHILE * usable_memory(setting.machine))
    shown = thinned(members, np.log(costed.time_s[members]), _FRONT).tolist()
    return tuple(_option(costed, i, chosen=i == 0) for i in shown)


def _out_of_memory(setting: Setting, space: Space) -> list[LayoutOption]:
    """The fastest layout that does not fit, with nothing recomputed."""
    room, order = usable_memory(setting.machine), np.argsort(space.bounds.time_s, kind="stable")
    for start in range(0, len(order), _CHUNK):
        some = space.bounds.layouts.pick(order[start : start + _CHUNK])
        memory = _memory_bytes(setting, some)
        if (memory > room).any():
            i = int((memory > room).argmax())
            one = Costed(some, space.bounds.time_s[order[start : start + _CHUNK]], memory)
            return [_option(one, i, f"needs {memory[i] / 1e9:.1f} GB a rank, {room / 1e9:.1f} GB are usable")]
    return []


def _rule_breakers(setting: Setting, space: Space) -> list[LayoutOption]:
    """For each rule one split that breaks it, and nothing else if there is such a one."""
    options = []
    faults = space.broken.sum(axis=0)
    for rule, breaks in zip(RULES, space.broken, strict=True):
        if breaks.any():
            i = int(np.where(breaks, faults, len(RULES) + 1).argmin())
            why = rule.sentence(setting, space.splits.pick([i]))
            layout = space.splits.document(i)
            options.append(LayoutOption(layout=layout, step_time_s=None, memory_bytes=None, chosen=False, why_not=why))
    return options


def _no_layout(setting: Setting, pins: Layout, space: Space, spec: BudgetSpec | None) -> InfeasibleError:
    count = setting.machine.planned.count
    if not len(space.splits):
        return InfeasibleError(
            f"no TP × PP × CP × DP within the layout's pins makes {count} ranks of {setting.model.layers} layers"
        )
    one = nearest_to_lawful(setting, pins, space).document(0)
    found = problems(setting, one, spec)
    return InfeasibleError(
        f"no layout of {count} ranks obeys every rule; the nearest, {one.label()}, fails because "
        f"{' and '.join(problem.message for problem in found)}; {_what_would_divide(setting, pins)}",
        tuple(problem for problem in found if spec is not None),
    )


def nearest_to_lawful(setting: Setting, pins: Layout, space: Space) -> Layouts:
    """Of splits that all break a rule, one that breaks fewest; it may be its micro-batch or recomputation that does."""
    nearest = int(space.broken.sum(axis=0).argmin())
    one = space.splits.pick([nearest])
    if space.broken[:, nearest].any():
        return one
    return recomputed(setting, pins, micro_batched(setting, pins, one)).pick([0])


def _bare(setting: Setting, pins: Layout, count: int) -> Layouts:
    """Lawful splits and micro-batches of another number of ranks."""
    return lawful(setting, micro_batched(setting, pins, lawful(setting, splits(setting, pins, count))))


def _what_would_divide(setting: Setting, pins: Layout) -> str:
    """The largest power of two below the cluster's count that some layout within the pins uses."""
    count = (setting.machine.planned.count - 1) or 1
    smaller = 1 << (count.bit_length() - 1)
    while smaller:
        if len(_bare(setting, pins, smaller)):
            return f"{smaller} x {setting.machine.planned.accelerator} would do, or a larger training.global_batch"
        smaller //= 2
    return "change what the layout pins, or training.global_batch"


def no_memory(setting: Setting, pins: Layout, space: Space) -> str:
    """What the leanest layout needs, and on what it would fit."""
    order = np.argsort(space.bounds.memory_bytes, kind="stable")[:_CHUNK]
    variants = lawful(setting, recomputed(setting, pins, space.bounds.layouts.pick(order)))
    memory = _memory_bytes(setting, variants)
    i = int(memory.argmin())
    count, room = setting.machine.planned.count, usable_memory(setting.machine)
    least = f"{memory[i] / 1e9:.1f} GB a rank ({variants.document(i).label()})"
    return (
        f"the model does not fit: the leanest layout of {count} x {setting.machine.planned.accelerator} needs {least}, "
        f"{room / 1e9:.1f} GB are usable; {_what_would_fit(setting, pins)}"
    )


def _what_would_fit(setting: Setting, pins: Layout) -> str:
    """The smallest power-of-two multiple of the cluster on which the model fits."""
    count = setting.machine.planned.count
    if setting.machine.planned.shared_host:
        return "more ranks share the same memory, so plan a smaller model or give a machine with more"
    for factor in (2, 4, 8, 16, 32, 64, 128):
        layouts = _bare(setting, pins, count * factor)
        if not len(layouts):
            continue
        if (_memory_bytes(setting, leanest(layouts)) <= usable_memory(setting.machine)).any():
            return f"it fits on {count * factor} x {setting.machine.planned.accelerator}"
    return "give more accelerators or a smaller model"
