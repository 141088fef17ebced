"""Rules of what a rank does in a step: micro-batches, interleaving, recomputation."""

from collections.abc import Iterator

import numpy as np

from sixnd.planner.candidates import Bools, Ints, Layouts
from sixnd.planner.rule import BATCH, DATA, FAMILY, MICRO_BATCH, RAMP, RECOMPUTE, VIRTUAL, Rule, Setting, first, uneven
from sixnd.specs.plan import Module

# The batch.


def _per_round(c: Layouts) -> Ints:
    """Sequences that all replicas take in one micro-batch."""
    return c.data * c.micro_batch


def _batch_breaks(s: Setting, c: Layouts) -> Bools:
    return uneven(s.common_batch, _per_round(c)) & ~uneven(s.common_batch, c.data)


def _interleaving_breaks(s: Setting, c: Layouts) -> Bools:
    whole = ~uneven(s.common_batch, _per_round(c))
    return np.asarray(whole & (c.virtual > 1) & uneven(s.common_batch // _per_round(c), c.pipeline))


def _interleaving_sentence(s: Setting, c: Layouts) -> str:
    counts = sorted({batch // first(_per_round(c)) for batch in (*s.ramp, s.global_batch)})
    told = " and ".join(f"{count}" for count in counts if count % first(c.pipeline))
    return f"interleaving needs micro-batches in multiples of PP {first(c.pipeline)}, but there are {told}"


_BATCHES = (
    Rule(
        "global batch",
        _batch_breaks,
        lambda s, c: f"{s.batch_words} do not divide over DP {first(c.data)} × micro-batch {first(c.micro_batch)}",
        (MICRO_BATCH, DATA, BATCH, RAMP),
        split_only=False,
    ),
    Rule(
        "interleaving",  # schedules.forward_backward_pipelining_with_interleaving, at its default group of PP
        _interleaving_breaks,
        _interleaving_sentence,
        (VIRTUAL, MICRO_BATCH, BATCH, RAMP),
        split_only=False,
    ),
)

# Recomputation.


def _absent_modules(s: Setting, c: Layouts) -> Iterator[tuple[Module, Bools]]:
    """Modules that the model does not have, with the candidates that would recompute them."""
    model = s.architecture
    if model.latent_attention is None:
        yield "mla_up_proj", c.recomputes("mla_up_proj")
    if model.experts is None:
        yield "moe", c.recomputes("moe")
        yield "moe_act", c.recomputes("moe_act")
    if not s.shared_width:
        yield "shared_experts", c.recomputes("shared_experts")
    if not s.dense_width:
        yield "mlp", c.recomputes("mlp")


def _absent_breaks(s: Setting, c: Layouts) -> Bools:
    found = np.zeros(len(c), dtype=bool)
    for _, recomputed in _absent_modules(s, c):
        found |= recomputed
    return found


def _absent_sentence(s: Setting, c: Layouts) -> str:
    names = [name for name, recomputed in _absent_modules(s, c) if recomputed[0]]
    return f"the model has no {' and no '.join(names)} to recompute"


_RECOMPUTATION = (
    Rule(
        "recomputation",
        lambda s, c: c.recompute_full & (c.recompute_modules != 0),  # noqa: ARG005
        lambda s, c: "whole layers that are recomputed leave no module to recompute alone",  # noqa: ARG005
        (RECOMPUTE,),
        split_only=False,
        ours=True,  # Megatron would not look at the modules
    ),
    Rule(
        "absent modules",  # Megatron refuses mla_up_proj alone; of the others it silently recomputes nothing
        _absent_breaks,
        _absent_sentence,
        (RECOMPUTE, FAMILY),
        split_only=False,
    ),
    Rule(
        "recomputed twice",
        lambda s, c: c.recomputes("moe") & (c.recomputes("moe_act") | c.recomputes("shared_experts")),  # noqa: ARG005
        lambda s, c: "moe recomputes moe_act and shared_experts already",  # noqa: ARG005
        (RECOMPUTE,),
        split_only=False,
        ours=True,  # it would run parts of a layer a third time
    ),
)

STEP_RULES = (*_BATCHES, *_RECOMPUTATION)
