"""Which TP × PP × VPP × DP × micro-batch × recomputation is fastest among those that obey the rules and fit."""

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sixnd.planner.candidates import Bools, Floats, Ints, Layouts, module_bits
from sixnd.planner.machine import Machine
from sixnd.planner.memory import memory_terms
from sixnd.planner.rules import RULES, Setting, violations
from sixnd.planner.steptime import time_terms
from sixnd.specs.budget import Layout
from sixnd.specs.errors import InfeasibleError
from sixnd.specs.plan import LayoutOption, PlannedLayout

MEMORY_MARGIN = 0.05
"""Share of memory kept free: reserved over allocated memory was 1.038 in the median but up to 1.093 on 344 published
ranks, and the catalog's slack holds the median only."""

_MAX_VIRTUAL = 20
_MAX_MICRO_BATCH = 64
_SHOWN = 4


@dataclass(frozen=True)
class Found:
    """Outcome of a search: the fastest layout that fits, and what else was considered."""

    layout: PlannedLayout
    options: tuple[LayoutOption, ...]
    considered: int
    allowed: int
    """Candidates that obey every rule."""
    fitting: int
    """Candidates that also fit in memory."""


def search(setting: Setting, pins: Layout) -> Found:
    """The fastest layout for a model and batch on a machine; ``pins`` are the spec's.

    Raises ``InfeasibleError`` where no candidate obeys the rules or fits; its message says what would help.
    """
    layouts = enumerate_layouts(setting, pins, setting.machine.planned.count)
    broken = violations(setting, layouts)
    allowed = layouts.pick(~broken.any(axis=0))
    if not len(allowed):
        raise InfeasibleError(_no_layout(setting, pins, layouts, broken))
    memory = memory_terms(setting.model, allowed, setting.machine, setting.global_batch).total
    time = time_terms(setting.model, allowed, setting.machine, setting.global_batch).total
    fits = memory <= usable_memory(setting.machine)
    if not fits.any():
        raise InfeasibleError(_no_memory(setting, pins, allowed, memory))
    order = _fastest_first(allowed, time, memory, fits)
    options = [
        *_ranking(allowed, time, memory, order),
        *_out_of_memory(setting, allowed, time, memory, ~fits),
        *_rule_breakers(setting, layouts, broken),
    ]
    return Found(options[0].layout, tuple(options), len(layouts), len(allowed), int(fits.sum()))


def usable_memory(machine: Machine) -> float:
    """Bytes of one rank that a plan may fill."""
    return machine.planned.memory_bytes * (1 - MEMORY_MARGIN)


def enumerate_layouts(setting: Setting, pins: Layout, count: int) -> Layouts:
    """Every layout of ``count`` ranks within the pins, whether or not it obeys the rules."""
    rows = [
        (
            t,
            p,
            v,
            1,
            1,
            1,
            count // (t * p),
            b,
            *r,
            t > 1 if pins.sequence_parallel is None else pins.sequence_parallel,
            e,
        )
        for t, p, v, e in _splits(setting, pins, count)
        for b in _micro_batches(setting, pins, count // (t * p))
        for r in _recompute(pins, (setting.model.layers + 2 * e) // (p * v))
    ]
    return Layouts.of_rows(rows)


def _splits(setting: Setting, pins: Layout, count: int) -> list[tuple[int, int, int, int]]:
    """(TP, PP, VPP, embedding as layer) that use exactly ``count`` ranks."""
    layers = setting.model.layers
    degrees = _divisors(count)
    tensors = [t for t in degrees if t <= 2 * setting.machine.accelerator.scale_up_ranks]
    found = []
    for t, p in itertools.product(_pinned(tensors, pins.tensor), _pinned(degrees, pins.pipeline)):
        if count % (t * p) or p > layers + 2 or (pins.data is not None and t * p * pins.data != count):
            continue
        virtuals = _pinned(
            list(range(1, min(_MAX_VIRTUAL, (layers + 2) // p) + 1)) if p > 1 else [1], pins.virtual_pipeline
        )
        found += [(t, p, v, e) for v in virtuals for e in ((0, 1) if p > 1 else (0,))]
    return found


def _pinned(values: list[int], pin: int | None) -> list[int]:
    return values if pin is None else [pin]


@lru_cache(maxsize=64)
def _divisor_tuple(count: int) -> tuple[int, ...]:
    small = [n for n in range(1, int(count**0.5) + 1) if count % n == 0]
    return tuple(sorted({*small, *(count // n for n in small)}))


def _divisors(count: int) -> list[int]:
    return list(_divisor_tuple(count))


def _micro_batches(setting: Setting, pins: Layout, data: int) -> list[int]:
    if pins.micro_batch is not None:
        return [pins.micro_batch]
    most = max(1, min(_MAX_MICRO_BATCH, setting.global_batch // data))
    divisors = _divisors(setting.global_batch // data) if setting.global_batch % data == 0 else []
    return sorted({*(2**i for i in range(most.bit_length())), *(n for n in divisors if n <= most)})


def _recompute(pins: Layout, chunk: int) -> list[tuple[int, int, int]]:
    """(full, layers of a chunk, modules): full recomputation also of a quarter, half or three quarters of a chunk."""
    parts = sorted({chunk * quarters // 4 for quarters in (1, 2, 3)} - {0})
    levels = {
        "none": [(0, 0, 0)],
        "selective": [(0, 0, module_bits(["core_attn"]))],
        "full": [(1, part, 0) for part in (0, *parts)],
    }
    return [one for level, some in levels.items() if pins.recompute in ("auto", level) for one in some]


def _fastest_first(allowed: Layouts, time: Floats, memory: Floats, fits: Bools) -> Ints:
    """Indices of fitting candidates by time, then memory, then the simpler split."""
    keys = (allowed.virtual, allowed.pipeline, allowed.tensor, memory, time)
    order = np.lexsort(keys)
    return np.asarray(order[fits[order]])


def _ranking(allowed: Layouts, time: Floats, memory: Floats, order: Ints) -> list[LayoutOption]:
    """The fastest, and the best of the rest that differ in how ranks are split."""
    best, seen = float(time[order[0]]), set()
    options: list[LayoutOption] = []
    for i in order:
        split = (int(allowed.tensor[i]), int(allowed.pipeline[i]), int(allowed.virtual[i]))
        if split in seen:
            continue
        seen.add(split)
        slower = f"{time[i] / best - 1:.1%} slower" if options else ""
        options.append(_option(allowed, int(i), slower, float(time[i]), float(memory[i]), chosen=not options))
        if len(options) > _SHOWN:
            break
    return options


def _option(
    layouts: Layouts, i: int, why_not: str, time: float | None, memory: float | None, *, chosen: bool = False
) -> LayoutOption:
    return LayoutOption(
        layout=layouts.document(i), step_time_s=time, memory_bytes=memory, chosen=chosen, why_not=why_not
    )


def _out_of_memory(
    setting: Setting, allowed: Layouts, time: Floats, memory: Floats, too_big: Bools
) -> list[LayoutOption]:
    """The fastest layout that does not fit."""
    if not too_big.any():
        return []
    i = int(np.where(too_big, time, np.inf).argmin())
    room = usable_memory(setting.machine)
    why = f"needs {memory[i] / 1e9:.1f} GB a rank, {room / 1e9:.1f} GB are usable"
    return [_option(allowed, i, why, float(time[i]), float(memory[i]))]


def _rule_breakers(setting: Setting, layouts: Layouts, broken: Bools) -> list[LayoutOption]:
    """For each rule one candidate that breaks it, and nothing else if there is such a one."""
    options = []
    faults = broken.sum(axis=0)
    for rule, breaks in zip(RULES, broken, strict=True):
        if breaks.any():
            i = int(np.where(breaks, faults, len(RULES) + 1).argmin())
            options.append(_option(layouts, i, rule.sentence(setting, layouts.pick([i])), None, None))
    return options


def _no_layout(setting: Setting, pins: Layout, layouts: Layouts, broken: Bools) -> str:
    count = setting.machine.planned.count
    if not len(layouts):
        return f"no TP × PP × DP within the layout's pins makes {count} ranks of a {setting.model.layers}-layer model"
    nearest = int(broken.sum(axis=0).argmin())
    one = layouts.pick([nearest])
    why = [rule.sentence(setting, one) for rule, breaks in zip(RULES, broken[:, nearest], strict=True) if breaks]
    label = layouts.document(nearest).label()
    return (
        f"no layout of {count} ranks obeys every rule; the nearest, {label}, fails because {' and '.join(why)}; "
        f"{_what_would_divide(setting, pins)}"
    )


def _what_would_divide(setting: Setting, pins: Layout) -> str:
    """The largest power of two below the cluster's count that some layout within the pins uses."""
    count = (setting.machine.planned.count - 1) or 1
    smaller = 1 << (count.bit_length() - 1)
    while smaller:
        layouts = enumerate_layouts(setting, pins, smaller)
        if len(layouts) and not violations(setting, layouts).any(axis=0).all():
            return f"{smaller} x {setting.machine.planned.accelerator} would do, or a larger training.global_batch"
        smaller //= 2
    return "change what the layout pins, or training.global_batch"


def _no_memory(setting: Setting, pins: Layout, allowed: Layouts, memory: Floats) -> str:
    i = int(memory.argmin())
    count, room = setting.machine.planned.count, usable_memory(setting.machine)
    least = f"{memory[i] / 1e9:.1f} GB a rank ({allowed.document(i).label()})"
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
        layouts = enumerate_layouts(setting, pins, count * factor)
        layouts = layouts.pick(~violations(setting, layouts).any(axis=0)) if len(layouts) else layouts
        if not len(layouts):
            continue
        memory = memory_terms(setting.model, layouts, setting.machine, setting.global_batch).total
        if (memory <= usable_memory(setting.machine)).any():
            return f"it fits on {count * factor} x {setting.machine.planned.accelerator}"
    return "give more accelerators or a smaller model"
