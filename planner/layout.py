"""Which layout is fastest among all that obey the rules and fit, what the others lose, and what would make one fit."""

from dataclasses import dataclass, fields

import numpy as np

from sixnd.planner.candidates import Layouts
from sixnd.planner.layout_search import (
    SLOWEST,
    Costed,
    Space,
    explore,
    fastest_of_splits,
    lawful,
    memory_bytes,
    usable_memory,
)
from sixnd.planner.layout_space import leanest, micro_batched, recomputed, splits
from sixnd.planner.pareto import front, thinned, worthwhile
from sixnd.planner.rules import RULES, Setting, problems
from sixnd.planner.runtime import runtime
from sixnd.planner.step_seconds import step_seconds
from sixnd.specs.budget import BudgetSpec, Layout
from sixnd.specs.errors import InfeasibleError
from sixnd.specs.plan import LayoutOption, PlannedLayout, TimeBreakdown

_FRONT = 12
_WORTHWHILE = 0.01
"""Of the memory that a plan may fill: what a layout of the front must save over the one before it."""
_CHUNK = 1000
"""Layouts looked at at once for the fastest that does not fit, and the leanest."""


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
        raise InfeasibleError(*no_memory(setting, pins, space))
    options = [*_ranking(space.costed), *_out_of_memory(setting, space), *_rule_breakers(setting, space)]
    fitting = int((space.bounds.memory_bytes <= usable_memory(setting.machine)).sum())
    counts = (len(space.splits), len(space.bounds.layouts), fitting)
    return Found(options[0].layout, tuple(options), _front(setting, space.costed), *counts)


def step_time(setting: Setting, layout: PlannedLayout) -> TimeBreakdown:
    """Seconds of one step of one layout, by what they are spent on."""
    model = setting.model
    where, one = runtime(setting.machine, model.adapters), Layouts.of(layout)
    found = step_seconds(model.architecture, one, model.sequence, setting.global_batch, where)
    names = TimeBreakdown.model_fields.keys() & {f.name for f in fields(found)}
    return TimeBreakdown(**{name: float(getattr(found, name)[0]) for name in names})


def _ranking(costed: Costed) -> list[LayoutOption]:
    """The fastest, and the best of the rest that differ in how ranks are split."""
    return [_option(costed, int(i), chosen=i == 0) for i in fastest_of_splits(costed)]


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
        memory = memory_bytes(setting, some)
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
            f"no TP × PP × CP × DP within the layout's pins makes {count} ranks of {setting.model.layers} layers",
            "let go of one of them",
        )
    one = nearest_to_lawful(setting, pins, space).document(0)
    found = problems(setting, one, spec)
    return InfeasibleError(
        f"no layout of {count} ranks obeys every rule; the nearest, {one.label()}, fails because "
        f"{' and '.join(problem.message for problem in found)}",
        _what_would_divide(setting, pins),
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
    batch = "batches of training.batch_ramp that divide better" if setting.ramp else "a larger training.global_batch"
    smaller = 1 << (count.bit_length() - 1)
    while smaller:
        if len(_bare(setting, pins, smaller)):
            return f"{smaller} x {setting.machine.planned.accelerator} would do, or {batch}"
        smaller //= 2
    return f"change what the layout pins, or take {batch}"


def no_memory(setting: Setting, pins: Layout, space: Space) -> tuple[str, str]:
    """What the leanest layout needs, and on what it would fit."""
    order = np.argsort(space.bounds.memory_bytes, kind="stable")[:_CHUNK]
    variants = lawful(setting, recomputed(setting, pins, space.bounds.layouts.pick(order)))
    memory = memory_bytes(setting, variants)
    i = int(memory.argmin())
    count, room = setting.machine.planned.count, usable_memory(setting.machine)
    least = f"{memory[i] / 1e9:.1f} GB a rank ({variants.document(i).label()})"
    return (
        f"the model does not fit: the leanest layout of {count} x {setting.machine.planned.accelerator} needs {least}, "
        f"{room / 1e9:.1f} GB are usable"
    ), _what_would_fit(setting, pins)


def _what_would_fit(setting: Setting, pins: Layout) -> str:
    """The smallest power-of-two multiple of the cluster on which the model fits."""
    count = setting.machine.planned.count
    if setting.machine.planned.shared_host:
        return "more ranks share the same memory, so plan a smaller model or give a machine with more"
    for factor in (2, 4, 8, 16, 32, 64, 128):
        layouts = _bare(setting, pins, count * factor)
        if not len(layouts):
            continue
        if (memory_bytes(setting, leanest(layouts)) <= usable_memory(setting.machine)).any():
            return f"it fits on {count * factor} x {setting.machine.planned.accelerator}"
    return "give more accelerators or a smaller model"
