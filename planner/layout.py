"""Which layout is fastest among all that obey the rules and fit, what the others lose, and what would make one fit."""

from dataclasses import dataclass, fields

import numpy as np

from sixnd.planner.candidates import Bools, Floats, Ints, Layouts
from sixnd.planner.layout_space import expanded, splits
from sixnd.planner.machine import Machine
from sixnd.planner.memory import memory_terms
from sixnd.planner.pareto import front, thinned
from sixnd.planner.rules import RULES, Setting, violations
from sixnd.planner.runtime import runtime
from sixnd.planner.step_seconds import step_seconds
from sixnd.specs.budget import Layout
from sixnd.specs.errors import InfeasibleError
from sixnd.specs.plan import LayoutOption, PlannedLayout, TimeBreakdown

MEMORY_MARGIN = 0.05
"""Share of memory kept free: reserved over allocated memory was 1.038 in the median but up to 1.093 on 344 published
ranks, and the catalog's slack holds the median only."""

_SHOWN = 4
_FRONT = 12


@dataclass(frozen=True)
class Space:
    """Every layout within a spec's pins, costed where it obeys the rules."""

    splits: Layouts
    """Every split of the ranks, lawful or not."""
    broken: Bools
    """(rules, splits)."""
    considered: int
    """Splits that break a rule, and every variant of the others."""
    layouts: Layouts
    """Variants that obey every rule."""
    time_s: Floats
    memory_bytes: Floats
    fits: Bools


@dataclass(frozen=True)
class Found:
    """Outcome of a search: the fastest layout that fits, and what else was considered."""

    layout: PlannedLayout
    options: tuple[LayoutOption, ...]
    pareto: tuple[LayoutOption, ...]
    """Layouts that no other beats in both time and memory, fastest first."""
    considered: int
    allowed: int
    """Candidates that obey every rule."""
    fitting: int
    """Candidates that also fit in memory."""


def search(setting: Setting, pins: Layout) -> Found:
    """The fastest layout for a model and batch on a machine; ``pins`` are the spec's.

    Raises ``InfeasibleError`` where no candidate obeys the rules or fits; its message says what would help.
    """
    space = explore(setting, pins)
    if not len(space.layouts):
        raise InfeasibleError(_no_layout(setting, pins, space))
    if not space.fits.any():
        raise InfeasibleError(_no_memory(setting, pins, space))
    order = fastest_first(space)
    options = [*_ranking(space, order), *_out_of_memory(setting, space), *_rule_breakers(setting, space)]
    return Found(
        options[0].layout,
        tuple(options),
        _front(space, order),
        space.considered,
        len(space.layouts),
        int(space.fits.sum()),
    )


def explore(setting: Setting, pins: Layout) -> Space:
    """Cost every layout of the machine's ranks within the pins: exhaustive, nothing is pruned but what breaks a rule.

    Rules are looked at before micro-batches and recomputation multiply a split: what a split breaks with micro-batches
    of one sequence and without recomputation, each of its variants breaks too.
    """
    every = splits(setting, pins, setting.machine.planned.count)
    broken = violations(setting, every)
    lawful = every.pick(~broken.any(axis=0))
    variants = expanded(setting, pins, lawful)
    layouts = variants.pick(~violations(setting, variants).any(axis=0))
    model, batch = setting.model, setting.global_batch
    memory = memory_terms(model, layouts, setting.machine, batch).total
    time = step_seconds(model.architecture, layouts, model.sequence, batch, runtime(setting.machine)).total
    considered = len(every) - len(lawful) + len(variants)
    return Space(every, broken, considered, layouts, time, memory, memory <= usable_memory(setting.machine))


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


def fastest_first(space: Space) -> Ints:
    """Indices of fitting candidates by time, then memory, then the simpler split."""
    fitting = np.flatnonzero(space.fits)
    found = space.layouts.pick(fitting)
    keys = (found.virtual, found.pipeline, found.tensor, space.memory_bytes[fitting], space.time_s[fitting])
    return np.asarray(fitting[np.lexsort(keys)])


def _ranking(space: Space, order: Ints) -> list[LayoutOption]:
    """The fastest, and the best of the rest that differ in how ranks are split."""
    best, seen = float(space.time_s[order[0]]), set()
    options: list[LayoutOption] = []
    found = space.layouts
    for i in order:
        columns = (found.tensor, found.pipeline, found.virtual, found.context, found.expert, found.expert_tensor)
        split = tuple(int(column[i]) for column in columns)
        if split in seen:
            continue
        seen.add(split)
        options.append(_option(space, int(i), _slower(space, int(i), best) if options else "", chosen=not options))
        if len(options) > _SHOWN:
            break
    return options


def _slower(space: Space, i: int, best: float) -> str:
    return f"{space.time_s[i] / best - 1:.1%} slower"


def _option(space: Space, i: int, why_not: str, *, chosen: bool = False) -> LayoutOption:
    return LayoutOption(
        layout=space.layouts.document(i),
        step_time_s=float(space.time_s[i]),
        memory_bytes=float(space.memory_bytes[i]),
        chosen=chosen,
        why_not=why_not,
    )


def _front(space: Space, order: Ints) -> tuple[LayoutOption, ...]:
    """The Pareto front of time and memory; money goes with time, since every layout uses the same ranks."""
    time, memory = space.time_s[order], space.memory_bytes[order]
    leaner = memory < np.concatenate([[np.inf], np.minimum.accumulate(memory)[:-1]])
    members = order[leaner]
    members = members[front(np.stack([space.time_s[members], space.memory_bytes[members]], axis=1))]
    members = thinned(members, np.log(space.time_s[members]), _FRONT)
    best = float(time[0])
    return tuple(_option(space, int(i), _slower(space, int(i), best) if i != order[0] else "") for i in members)


def _out_of_memory(setting: Setting, space: Space) -> list[LayoutOption]:
    """The fastest layout that does not fit."""
    if space.fits.all():
        return []
    i = int(np.where(space.fits, np.inf, space.time_s).argmin())
    room = usable_memory(setting.machine)
    return [_option(space, i, f"needs {space.memory_bytes[i] / 1e9:.1f} GB a rank, {room / 1e9:.1f} GB are usable")]


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


def _no_layout(setting: Setting, pins: Layout, space: Space) -> str:
    count = setting.machine.planned.count
    if not len(space.splits):
        return f"no TP × PP × CP × DP within the layout's pins makes {count} ranks of {setting.model.layers} layers"
    nearest = int(space.broken.sum(axis=0).argmin())
    one = space.splits.pick([nearest])
    broken = space.broken[:, nearest]
    if not broken.any():  # the split is lawful, its pinned micro-batch or recomputation is not
        one = expanded(setting, pins, one).pick([0])
        broken = violations(setting, one)[:, 0]
    why = [rule.sentence(setting, one) for rule, breaks in zip(RULES, broken, strict=True) if breaks]
    return (
        f"no layout of {count} ranks obeys every rule; the nearest, {one.document(0).label()}, fails because "
        f"{' and '.join(why)}; {_what_would_divide(setting, pins)}"
    )


def _lawful(setting: Setting, pins: Layout, count: int) -> Layouts:
    every = splits(setting, pins, count)
    variants = expanded(setting, pins, every.pick(~violations(setting, every).any(axis=0)))
    return variants.pick(~violations(setting, variants).any(axis=0))


def _what_would_divide(setting: Setting, pins: Layout) -> str:
    """The largest power of two below the cluster's count that some layout within the pins uses."""
    count = (setting.machine.planned.count - 1) or 1
    smaller = 1 << (count.bit_length() - 1)
    while smaller:
        if len(_lawful(setting, pins, smaller)):
            return f"{smaller} x {setting.machine.planned.accelerator} would do, or a larger training.global_batch"
        smaller //= 2
    return "change what the layout pins, or training.global_batch"


def _no_memory(setting: Setting, pins: Layout, space: Space) -> str:
    i = int(space.memory_bytes.argmin())
    count, room = setting.machine.planned.count, usable_memory(setting.machine)
    least = f"{space.memory_bytes[i] / 1e9:.1f} GB a rank ({space.layouts.document(i).label()})"
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
        layouts = _lawful(setting, pins, count * factor)
        if not len(layouts):
            continue
        memory = memory_terms(setting.model, layouts, setting.machine, setting.global_batch).total
        if (memory <= usable_memory(setting.machine)).any():
            return f"it fits on {count * factor} x {setting.machine.planned.accelerator}"
    return "give more accelerators or a smaller model"
