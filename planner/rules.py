"""What Megatron-core 0.16 requires of a layout, checked by us, each rule with a sentence for who breaks it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sixnd.planner.candidates import Bools, Layouts, filling_units
from sixnd.planner.machine import Machine
from sixnd.planner.transformer import Transformer


@dataclass(frozen=True)
class Setting:
    """What the rules look at beside the layout."""

    model: Transformer
    machine: Machine
    global_batch: int
    """Sequences in one optimizer step."""


@dataclass(frozen=True)
class Rule:
    """One requirement: which candidates break it, and the sentence for one that does."""

    name: str
    breaks: Callable[[Setting, Layouts], Bools]
    sentence: Callable[[Setting, Layouts], str]
    """For a single candidate."""


def _first(column: object) -> int:
    return int(np.asarray(column).ravel()[0])


def _splits(name: str, what: str, size: Callable[[Setting], int]) -> Rule:
    """A rule that TP must divide something."""
    return Rule(
        name,
        lambda s, c: np.asarray(size(s) % c.tensor != 0),
        lambda s, c: f"{what} ({size(s)}) cannot be split over TP {_first(c.tensor)} ranks",
    )


def _layers_break(s: Setting, c: Layouts) -> Bools:
    filled = filling_units(s.model.architecture, c)
    chunks = c.pipeline * c.virtual
    too_thin = filled < chunks * np.where(c.embedding_as_layer, 2, 1)
    return np.asarray((filled % chunks != 0) | too_thin)


def _layers_sentence(s: Setting, c: Layouts) -> str:
    chunks = f"PP {_first(c.pipeline)} × VPP {_first(c.virtual)}"
    more = ", embedding and head counted as one each," if bool(c.embedding_as_layer[0]) else ""
    return f"{s.model.layers} layers{more} do not fill {chunks} chunks evenly with at least one layer in each"


def _batch_breaks(s: Setting, c: Layouts) -> Bools:
    return np.asarray(s.global_batch % (c.data * c.micro_batch) != 0)


def _interleaving_breaks(s: Setting, c: Layouts) -> Bools:
    count = s.global_batch // (c.data * c.micro_batch)
    return np.asarray((c.virtual > 1) & ((count % c.pipeline != 0) | (count < c.pipeline)))


def _interleaving_sentence(s: Setting, c: Layouts) -> str:
    count = s.global_batch // (_first(c.data) * _first(c.micro_batch))
    return f"interleaving needs micro-batches in multiples of PP {_first(c.pipeline)}, but there are {count}"


RULES = (
    _splits("heads", "attention heads", lambda s: s.model.heads),
    Rule(
        "kv heads",
        lambda s, c: (s.model.kv_heads % c.tensor != 0) & (c.tensor % s.model.kv_heads != 0),
        lambda s, c: (
            f"TP {_first(c.tensor)} neither divides the {s.model.kv_heads} key-value heads nor is a multiple of them"
        ),
    ),
    _splits("ffn", "the feed-forward width", lambda s: s.model.ffn),
    _splits("vocabulary", "the padded vocabulary", lambda s: s.model.vocab),
    Rule(
        "sequence parallelism",
        lambda s, c: c.sequence_parallel & ((s.model.sequence % c.tensor != 0) | (c.tensor == 1)),
        lambda s, c: f"sequence parallelism cannot split {s.model.sequence} tokens over TP {_first(c.tensor)} ranks",
    ),
    Rule(
        "scale-up domain",
        lambda s, c: c.tensor > s.machine.accelerator.scale_up_ranks,
        lambda s, c: (
            f"TP {_first(c.tensor)} would leave the {s.machine.accelerator.scale_up_ranks} accelerators "
            "that share fast links"
        ),
    ),
    Rule("layers", _layers_break, _layers_sentence),
    Rule(
        "virtual pipeline",
        lambda s, c: (c.virtual > 1) & (c.pipeline == 1),  # noqa: ARG005
        lambda s, c: f"VPP {_first(c.virtual)} needs PP above 1: there is no bubble to shrink",  # noqa: ARG005
    ),
    Rule(
        "global batch",
        _batch_breaks,
        lambda s, c: (
            f"{s.global_batch} sequences a step do not divide over DP {_first(c.data)} × micro-batch "
            f"{_first(c.micro_batch)}"
        ),
    ),
    Rule("interleaving", _interleaving_breaks, _interleaving_sentence),
)


def violations(setting: Setting, layouts: Layouts) -> Bools:
    """Which candidate breaks which rule: an array of (rules, candidates)."""
    return np.stack([np.broadcast_to(rule.breaks(setting, layouts), (len(layouts),)) for rule in RULES])
