"""Rules of products in less than 16 bits: their dimensions are multiples of what Transformer Engine can take."""

from collections.abc import Iterator

import numpy as np

from sixnd.planner.candidates import Bools, Ints, Layouts
from sixnd.planner.rule import (
    CONTEXT,
    EXPERT_TENSOR,
    MICRO_BATCH,
    PRECISION,
    SEQUENCE,
    TENSOR,
    Rule,
    Setting,
    first,
    shape,
    uneven,
)
from sixnd.specs.plan import Precision

ALIGNMENT: dict[Precision, int] = {"fp8": 16, "fp4": 32}
"""Each dimension of a quantised product is the last one in its forward or a backward product. Transformer Engine asks
for multiples of 16 there for FP8 (``pytorch/utils.py``, ``assert_dim_for_fp8_exec``; of its recipes MXFP8 asks for 32,
and another serves where that fails), and for NVFP4 of 16 along rows and 32 down columns
(``pytorch/tensor/nvfp4_tensor.py``, ``NVFP4Quantizer.make_empty``)."""


def _alignment(s: Setting) -> int:
    return ALIGNMENT.get(s.machine.precision, 1)


def _quantised_widths(s: Setting, c: Layouts) -> Iterator[tuple[str, int, Ints]]:
    """Dimensions of quantised products, with the ranks that split each; head and router stay in BF16."""
    model, whole = s.architecture, np.ones_like(c.tensor)
    yield "hidden width", model.hidden, whole
    yield from _attention_widths(s, c.tensor, whole)
    yield "feed-forward width", s.dense_width, c.tensor
    yield "width of the shared experts", s.shared_width, c.tensor
    yield "expert's width", s.expert_width, c.expert_tensor


def _attention_widths(s: Setting, tensor: Ints, whole: Ints) -> Iterator[tuple[str, int, Ints]]:
    latent, heads = s.architecture.latent_attention, s.model.heads
    if latent is None:
        yield "width of queries, keys and values", s.fused_rows, tensor
        yield "width of all heads", heads * s.model.head_dim, tensor
        return
    yield "queries' latent", latent.query_rank or 0, whole
    yield "keys' and values' latent", latent.kv_rank, whole
    yield "keys' and values' latent with its rotary part", latent.kv_rank + latent.rotary, whole
    yield "width of all queries", heads * (latent.query_key + latent.rotary), tensor
    yield "width of all keys and values", heads * (latent.query_key + latent.value), tensor
    yield "width of all values", heads * latent.value, tensor


def _widths_break(s: Setting, c: Layouts) -> Bools | bool:
    multiple, found = _alignment(s), np.zeros(len(c), dtype=bool)
    if multiple == 1:
        return False
    for _, size, ranks in _quantised_widths(s, c):
        found |= uneven(size, ranks * multiple)
    return found


def _widths_sentence(s: Setting, c: Layouts) -> str:
    multiple = _alignment(s)
    for what, size, ranks in _quantised_widths(s, c):
        if size % (first(ranks) * multiple):
            return f"the {what} ({size}) over {first(ranks)} ranks is no multiple of {multiple}, {_needs(s)}"
    raise AssertionError("no width breaks the rule")


def _needs(s: Setting) -> str:
    return f"as {s.machine.precision.upper()} products need"


def _tokens_break(s: Setting, c: Layouts) -> Bools | bool:
    multiple = _alignment(s)
    return multiple > 1 and uneven(c.micro_batch * s.model.sequence, c.context * multiple)


PRECISION_RULES = (
    Rule("aligned widths", _widths_break, _widths_sentence, (TENSOR, EXPERT_TENSOR, PRECISION, shape("hidden"))),
    Rule(
        "aligned tokens",
        _tokens_break,
        lambda s, c: (
            f"micro-batch {first(c.micro_batch)} × {s.model.sequence} tokens over CP {first(c.context)} is no "
            f"multiple of {_alignment(s)}, {_needs(s)}"
        ),
        (MICRO_BATCH, CONTEXT, PRECISION, SEQUENCE),
        split_only=False,
    ),
)
