"""Rules that look at the split of ranks alone: whatever the micro-batch and recomputation, who breaks them is out."""

from collections.abc import Callable

import numpy as np

from sixnd.planner.candidates import Bools, Ints, Layouts, filling_units
from sixnd.planner.rule import (
    ACCELERATORS,
    BATCH,
    CONTEXT,
    DATA,
    EXPERT,
    EXPERT_TENSOR,
    FAMILY,
    PIPELINE,
    RAMP,
    SEQUENCE,
    SEQUENCE_PARALLEL,
    TENSOR,
    VIRTUAL,
    Rule,
    Setting,
    first,
    shape,
    uneven,
)
from sixnd.specs.errors import Path

# Widths that tensor parallelism divides.


def _split(name: str, what: str, size: Callable[[Setting], int], *paths: Path) -> Rule:
    """A rule that TP must divide something; what is not there has size 0."""
    return Rule(
        name,
        lambda s, c: uneven(size(s), c.tensor),
        lambda s, c: f"{what} ({size(s)}) cannot be split over TP {first(c.tensor)} ranks",
        (TENSOR, *paths, FAMILY),
    )


_WIDTHS = (
    _split("heads", "attention heads", lambda s: s.model.heads, shape("heads")),
    Rule(
        "kv heads",
        lambda s, c: uneven(s.model.kv_heads, c.tensor) & uneven(c.tensor, s.model.kv_heads),
        lambda s, c: (
            f"TP {first(c.tensor)} neither divides the {s.model.kv_heads} key-value heads nor is a multiple of them"
        ),
        (TENSOR, shape("kv_heads"), FAMILY),
    ),
    Rule(
        "queries, keys and values",
        lambda s, c: uneven(s.fused_rows, c.tensor),
        lambda s, c: (
            f"the {s.fused_rows} rows of queries, keys and values cannot be split over TP {first(c.tensor)} ranks"
        ),
        (TENSOR, shape("kv_heads"), FAMILY),
    ),
    _split("feed-forward", "the feed-forward width", lambda s: s.dense_width, shape("ffn")),
    _split("shared experts", "the width of the shared experts", lambda s: s.shared_width),
    _split("vocabulary", "the padded vocabulary", lambda s: s.model.vocab, ("model", "vocab_size")),
    Rule(
        "scale-up domain",
        lambda s, c: _straddles(s, c.tensor),
        lambda s, c: _leaves_domain(s, f"TP {first(c.tensor)}"),
        (TENSOR, ACCELERATORS),
        ours=True,  # it would run, at the pace of the network in every layer
    ),
)


def _leaves_domain(s: Setting, degree: str) -> str:
    return f"{degree} would leave the {s.machine.accelerator.scale_up_ranks} accelerators that share fast links"


def _straddles(s: Setting, degree: Ints) -> Bools:
    """Where some group of neighbouring ranks does not lie within one domain."""
    domain = s.machine.accelerator.scale_up_ranks
    return np.asarray((degree > domain) | ((s.machine.planned.count > domain) & (domain % np.maximum(degree, 1) != 0)))


# The sequence.


def _idle_breaks(s: Setting, c: Layouts) -> Bools:  # noqa: ARG001
    return np.asarray(c.sequence_parallel & (c.tensor == 1))


def _shards_sentence(s: Setting, c: Layouts) -> str:
    ranks = f"TP {first(c.tensor)}" + (f" × CP {first(c.context)}" if first(c.context) > 1 else "")
    return f"sequence parallelism cannot split {s.model.sequence} tokens over {ranks} ranks"


_SEQUENCES = (
    Rule(
        "sequence parallelism",
        _idle_breaks,
        lambda s, c: "sequence parallelism needs TP above 1: it splits the sequence over those ranks",  # noqa: ARG005
        (SEQUENCE_PARALLEL, TENSOR),
    ),
    Rule(
        "sequence shards",
        lambda s, c: c.sequence_parallel & uneven(s.model.sequence, c.tensor * c.context),
        _shards_sentence,
        (TENSOR, CONTEXT, SEQUENCE, FAMILY),
    ),
    Rule(
        "context",  # each rank takes one chunk from the front and one from the back (utils.get_batch_on_this_cp_rank)
        lambda s, c: (c.context > 1) & uneven(s.model.sequence, 2 * c.context),
        lambda s, c: f"{s.model.sequence} tokens cannot be cut into 2 × CP {first(c.context)} chunks, two a rank",
        (CONTEXT, SEQUENCE, FAMILY),
    ),
)

# Experts.


def _expert_ranks_sentence(s: Setting, c: Layouts) -> str:  # noqa: ARG001
    ranks = f"TP {first(c.tensor)} × CP {first(c.context)} × DP {first(c.data)}"
    return (
        f"the experts' EP {first(c.expert)} × ETP {first(c.expert_tensor)} ranks do not divide {ranks} = "
        f"{first(c.tensor * c.context * c.data)}, the ranks of one stage"
    )


_EXPERTS = (
    Rule(
        "no experts",
        lambda s, c: (not s.has_experts) & ((c.expert > 1) | (c.expert_tensor > 1)),
        lambda s, c: (  # noqa: ARG005
            f"EP {first(c.expert)} and ETP {first(c.expert_tensor)} must be 1: the model has no experts"
        ),
        (EXPERT, EXPERT_TENSOR, FAMILY),
    ),
    Rule(
        "experts",
        lambda s, c: uneven(s.routed, c.expert),
        lambda s, c: f"{s.routed} experts cannot be spread over EP {first(c.expert)} ranks",
        (EXPERT, FAMILY),
    ),
    Rule(
        "expert width",
        lambda s, c: uneven(s.expert_width, c.expert_tensor),
        lambda s, c: f"an expert's width ({s.expert_width}) cannot be split over ETP {first(c.expert_tensor)} ranks",
        (EXPERT_TENSOR, FAMILY),
    ),
    Rule(
        "expert ranks",
        lambda s, c: uneven(c.tensor * c.context * c.data, c.expert * c.expert_tensor),  # noqa: ARG005
        _expert_ranks_sentence,
        (EXPERT, EXPERT_TENSOR, TENSOR, CONTEXT, DATA),
    ),
    Rule(
        "experts' sequence parallelism",  # moe_layer.MoELayer.forward
        lambda s, c: s.has_experts & (c.tensor > 1) & ~c.sequence_parallel,
        lambda s, c: (  # noqa: ARG005
            f"with TP {first(c.tensor)} a model with experts needs sequence parallelism: each rank routes its tokens"
        ),
        (SEQUENCE_PARALLEL, TENSOR, FAMILY),
    ),
    Rule(
        "expert biases",
        lambda s, c: s.has_experts & (s.architecture.biases == "all") & (c.expert_tensor > 1),
        lambda s, c: f"experts with biases cannot be split, so ETP {first(c.expert_tensor)} must be 1",  # noqa: ARG005
        (EXPERT_TENSOR, FAMILY),
    ),
    Rule(
        "experts' scale-up domain",
        lambda s, c: _straddles(s, c.expert_tensor),
        lambda s, c: _leaves_domain(s, f"ETP {first(c.expert_tensor)}"),
        (EXPERT_TENSOR, ACCELERATORS),
        ours=True,
    ),
)

# Pipeline stages.


def _chunks(c: Layouts) -> Ints:
    return c.pipeline * c.virtual


def _layers_break(s: Setting, c: Layouts) -> Bools:
    return uneven(filling_units(s.architecture, c), _chunks(c))


def _last_chunk_breaks(s: Setting, c: Layouts) -> Bools:
    """The last chunk holds the head and all further predictions (``PipelineParallelLayerLayout``), if no layer."""
    ends = c.embedding_as_layer & (_chunks(c) > 1)
    return np.asarray(ends & (filling_units(s.architecture, c) < _chunks(c) * (1 + s.architecture.mtp_layers)))


def _layers_sentence(s: Setting, c: Layouts) -> str:
    predictions = s.architecture.mtp_layers
    ends = "embedding, head and each further prediction" if predictions else "embedding and head"
    more = f", {ends} counted as one each," if bool(c.embedding_as_layer[0]) else ""
    return f"{s.model.layers} layers{more} do not fill {_chunks_in_words(c)} evenly with at least one in each"


def _chunks_in_words(c: Layouts) -> str:
    return f"PP {first(c.pipeline)} × VPP {first(c.virtual)} chunks"


_STAGES = (
    Rule("layers", _layers_break, _layers_sentence, (PIPELINE, VIRTUAL, shape("layers"), FAMILY)),
    Rule(
        "last chunk",
        _last_chunk_breaks,
        lambda s, c: (
            f"the last of {_chunks_in_words(c)} has no room for the head and {s.architecture.mtp_layers} further "
            "predictions, which stay together"
        ),
        (VIRTUAL, PIPELINE, FAMILY),
        ours=True,  # Megatron can give further predictions a stage of their own; we cost them beside the head
    ),
    Rule(
        "virtual pipeline",
        lambda s, c: (c.virtual > 1) & (c.pipeline == 1),  # noqa: ARG005
        lambda s, c: f"VPP {first(c.virtual)} needs PP above 1: there is no bubble to shrink",  # noqa: ARG005
        (VIRTUAL, PIPELINE),
    ),
)

# Replicas.

_REPLICAS = (
    Rule(
        "replicas",
        lambda s, c: uneven(s.common_batch, c.data),
        lambda s, c: f"{s.batch_words} do not divide over DP {first(c.data)}",
        (DATA, BATCH, RAMP),
    ),
    Rule(
        "sites",
        lambda s, c: uneven(c.data, s.sites),
        lambda s, c: f"the {first(c.data)} replicas do not divide over {s.sites} sites",
        (DATA, ("cluster", "sites", "count")),
        ours=True,  # only whole replicas can do without the links inside a site
    ),
)

SPLIT_RULES = (*_WIDTHS, *_SEQUENCES, *_EXPERTS, *_STAGES, *_REPLICAS)
