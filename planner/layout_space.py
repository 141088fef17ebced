"""Every layout of so many ranks: degrees of parallelism first, then micro-batches and recomputation of each split."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from sixnd.planner.candidates import Ints, Layouts, filling_units, module_bits
from sixnd.planner.rules import Setting
from sixnd.specs.budget import Layout
from sixnd.specs.families import Architecture
from sixnd.specs.plan import Module

MAX_VIRTUAL = 20
MAX_MICRO_BATCH = 64
LEAST_CONTEXT_TOKENS = 4096
"""Tokens of a sequence that each rank keeps under context parallelism: published runs with it keep at least as many."""
MAX_EXPERT = 64
"""Published runs spread experts over at most so many ranks. Beyond either nothing measured holds the step-time model
down, so it is not searched; a spec that pins ``layout.context`` or ``layout.expert`` goes there."""


def splits(setting: Setting, pins: Layout, count: int) -> Layouts:
    """Every split over ``count`` ranks within the pins, whether or not it obeys the rules.

    Micro-batches of one sequence, nothing recomputed. Sequence parallelism is on wherever TP is, unless the spec says
    otherwise: it costs no time and saves memory (Korthikanti et al. 2022, §4.2.2).
    """
    stages = [(*one, *chunks) for one in _degrees(setting, pins, count) for chunks in _chunks(setting, pins, one[1])]
    experts = _expert_degrees(setting.model.architecture, pins, count, setting.machine.accelerator.scale_up_ranks)
    rows = np.array(stages, dtype=np.int64).reshape(len(stages), 6)
    t, p, c, d, v, ends = np.repeat(rows, len(experts), axis=0).T
    e, et = np.tile(np.array(experts, dtype=np.int64), (len(stages), 1)).T
    none, one = np.zeros_like(t), np.ones_like(t)
    parallel = t > 1 if pins.sequence_parallel is None else np.full(len(t), pins.sequence_parallel)
    return Layouts(t, p, v, c, e, et, d, one, none > 0, none, none, parallel, ends > 0)


def micro_batched(setting: Setting, pins: Layout, found: Layouts) -> Layouts:
    """Splits with every micro-batch within the pins: all that divide a replica's share of the batch."""
    return _crossed(found, found.data, lambda data: _micro_batches(setting, pins, data), ("micro_batch",))


def recomputed(setting: Setting, pins: Layout, found: Layouts) -> Layouts:
    """Layouts with every recomputation within the pins."""
    chunk = filling_units(setting.model.architecture, found) // (found.pipeline * found.virtual)
    names = ("recompute_full", "recompute_layers", "recompute_modules")
    return _crossed(found, chunk, lambda layers: _recomputations(setting, pins, layers), names)


def leanest(found: Layouts) -> Layouts:
    """The same layouts with every layer recomputed: no recomputation needs less memory."""
    return replace(found, recompute_full=np.ones(len(found), dtype=bool))


def _crossed(
    found: Layouts, kinds: Ints, values: Callable[[int], list[tuple[int, ...]]], names: tuple[str, ...]
) -> Layouts:
    """Each layout with every row of values that its kind has, as its columns of those names."""
    order, rows = [], []
    for kind in np.unique(kinds):
        members, table = np.flatnonzero(kinds == kind), np.array(values(int(kind)), dtype=np.int64)
        order.append(np.repeat(members, len(table)))
        rows.append(np.tile(table.reshape(len(table), len(names)), (len(members), 1)))
    if not order:
        return found
    several = found.pick(np.concatenate(order))
    columns: dict[str, Any] = dict(zip(names, np.concatenate(rows).T, strict=True))
    if "recompute_full" in columns:
        columns["recompute_full"] = columns["recompute_full"] > 0
    return replace(several, **columns)


def _degrees(setting: Setting, pins: Layout, count: int) -> list[tuple[int, int, int, int]]:
    """(TP, PP, CP, DP) that use exactly ``count`` ranks."""
    degrees = divisors(count)
    tensors = [t for t in degrees if t <= 2 * setting.machine.accelerator.scale_up_ranks]
    most = 1 if setting.machine.planned.shared_host else max(1, setting.model.sequence // LEAST_CONTEXT_TOKENS)
    contexts = [c for c in degrees if c <= most]
    found = product(_pinned(tensors, pins.tensor), _pinned(degrees, pins.pipeline), _pinned(contexts, pins.context))
    whole = [(t, p, c, count // (t * p * c)) for t, p, c in found if count % (t * p * c) == 0]
    return [one for one in whole if pins.data in (None, one[3]) and one[1] <= _most_units(setting)]


def _chunks(setting: Setting, pins: Layout, pipeline: int) -> list[tuple[int, int]]:
    """(VPP, whether embedding and head count as layers)."""
    if pipeline == 1:
        return [(v, 0) for v in _pinned([1], pins.virtual_pipeline)]
    most = min(MAX_VIRTUAL, _most_units(setting) // pipeline)
    return [(v, ends) for v in _pinned(list(range(1, most + 1)), pins.virtual_pipeline) for ends in (0, 1)]


def _most_units(setting: Setting) -> int:
    """What stages are filled with where embedding, head and further predictions count as layers."""
    return setting.model.layers + 2 + setting.model.architecture.mtp_layers


def _expert_degrees(model: Architecture, pins: Layout, count: int, scale_up_ranks: int) -> list[tuple[int, int]]:
    """(EP, ETP)."""
    if model.experts is None:
        return [(e, t) for e in _pinned([1], pins.expert) for t in _pinned([1], pins.expert_tensor)]
    ranks = [e for e in divisors(model.experts.routed) if e <= min(count, MAX_EXPERT)]
    tensors = [t for t in divisors(count) if t <= scale_up_ranks]
    return list(product(_pinned(ranks, pins.expert), _pinned(tensors, pins.expert_tensor)))


def _micro_batches(setting: Setting, pins: Layout, data: int) -> list[tuple[int, ...]]:
    share = divisors(max(1, setting.common_batch // data))
    return [(n,) for n in _pinned([n for n in share if n <= MAX_MICRO_BATCH], pins.micro_batch)]


def _recomputations(setting: Setting, pins: Layout, chunk: int) -> list[tuple[int, ...]]:
    """Full or not, layers of a chunk with it, modules without it.

    Nothing, some modules alone, or whole layers: all of a chunk, or a quarter, half or three quarters of it.
    """
    parts = sorted({chunk * quarters // 4 for quarters in (1, 2, 3)} - {0})
    levels: dict[str, list[tuple[int, ...]]] = {
        "none": [(0, 0, 0)],
        "selective": [(0, 0, module_bits(one)) for one in _module_sets(setting)],
        "full": [(1, part, 0) for part in (0, *parts)],
    }
    return [one for level, some in levels.items() if pins.recompute in ("auto", level) for one in some]


def _module_sets(setting: Setting) -> list[tuple[Module, ...]]:
    """Sets of modules worth recomputing alone, as far as the model has them.

    Norms, activations and up-projections cost little for what they keep; the feed-forward and the experts are the
    largest. Fused attention keeps a number a row: its scores alone are for who pins selective recomputation on a CPU.
    """
    model = setting.model.architecture
    if setting.machine.planned.shared_host:
        return [("core_attn",)]
    cheap: list[tuple[Module, ...]] = [("layernorm",)]
    if model.latent_attention is not None:
        cheap += [("mla_up_proj",), ("layernorm", "mla_up_proj")]
    dear: list[tuple[Module, ...]] = [("mlp",)] if model.ffn else []
    if model.experts is not None:
        dear = [("moe_act",), ("moe",), ("moe_act", *dear[0])] if dear else [("moe_act",), ("moe",)]
    return [*cheap, *dear, *((*a, *b) for a in cheap[-1:] for b in dear)]


def _pinned(values: list[int], pin: int | None) -> list[int]:
    return values if pin is None else [pin]


@lru_cache(maxsize=64)
def _divisor_tuple(count: int) -> tuple[int, ...]:
    small = [n for n in range(1, int(count**0.5) + 1) if count % n == 0]
    return tuple(sorted({*small, *(count // n for n in small)}))


def divisors(count: int) -> list[int]:
    """All divisors, in order."""
    return list(_divisor_tuple(count))
