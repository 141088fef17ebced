"""One requirement of a layout, and what it looks at."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sixnd.planner.candidates import Bools, Layouts
from sixnd.planner.machine import Machine
from sixnd.planner.transformer import Transformer
from sixnd.specs.errors import Path
from sixnd.specs.families import Architecture


@dataclass(frozen=True)
class Setting:
    """What the rules look at beside the layout."""

    model: Transformer
    machine: Machine
    global_batch: int
    """Sequences in one optimizer step."""
    sites: int = 1
    """Data centres over which whole replicas are spread."""
    ramp: tuple[int, ...] = ()
    """Smaller batches of the first steps, which the layout must split too."""

    @property
    def common_batch(self) -> int:
        """What divides every batch: where replicas and micro-batches divide it, they divide all of them."""
        return math.gcd(self.global_batch, *self.ramp)

    @property
    def batch_words(self) -> str:
        """The batch in sentences of the rules."""
        if not self.ramp:
            return f"{self.global_batch} sequences a step"
        sizes = sorted({*self.ramp, self.global_batch})
        return f"batches of {sizes[0]} to {sizes[-1]} sequences (common divisor {self.common_batch})"

    @property
    def architecture(self) -> Architecture:
        """What the model is made of."""
        return self.model.architecture

    @property
    def dense_width(self) -> int:
        """Width of the dense feed-forward; 0 where every layer has experts."""
        experts = self.architecture.experts
        return self.architecture.ffn if experts is None or experts.dense_layers else 0

    @property
    def has_experts(self) -> bool:
        """Whether the model is a mixture of experts."""
        return self.architecture.experts is not None

    @property
    def routed(self) -> int:
        """Experts that the router chooses from."""
        return self.architecture.experts.routed if self.architecture.experts else 0

    @property
    def expert_width(self) -> int:
        """Width of one routed expert."""
        return self.architecture.experts.ffn if self.architecture.experts else 0

    @property
    def shared_width(self) -> int:
        """Width of all shared experts together."""
        return self.architecture.experts.shared_ffn if self.architecture.experts else 0

    @property
    def fused_rows(self) -> int:
        """Rows of the matrix that makes queries, keys and values at once; latent attention has none."""
        heads = self.model.heads + 2 * self.model.kv_heads
        return 0 if self.architecture.latent_attention else heads * self.model.head_dim


@dataclass(frozen=True)
class Rule:
    """One requirement: which candidates break it, and the sentence for one that does."""

    name: str
    breaks: Callable[[Setting, Layouts], Bools | bool]
    """For every candidate, or one answer for all."""
    sentence: Callable[[Setting, Layouts], str]
    """For a single candidate that breaks it."""
    paths: tuple[Path, ...]
    """Fields of the spec that decide it, the nearest first."""
    split_only: bool = True
    """Whether it looks neither at the micro-batch nor at recomputation."""
    ours: bool = False
    """Whether Megatron would run such a layout all the same."""


def first(column: object) -> int:
    """The value of a single candidate."""
    return int(np.asarray(column).ravel()[0])


def uneven(size: Any, parts: Any) -> Bools:
    """Where ``parts`` do not divide ``size``."""
    return np.asarray(size % parts != 0)


TENSOR, PIPELINE, VIRTUAL = ("layout", "tensor"), ("layout", "pipeline"), ("layout", "virtual_pipeline")
CONTEXT, EXPERT, EXPERT_TENSOR = ("layout", "context"), ("layout", "expert"), ("layout", "expert_tensor")
DATA, MICRO_BATCH, RECOMPUTE = ("layout", "data"), ("layout", "micro_batch"), ("layout", "recompute")
SEQUENCE_PARALLEL = ("layout", "sequence_parallel")
FAMILY, SEQUENCE = ("model", "family"), ("model", "sequence_length")
BATCH, PRECISION, ACCELERATORS = ("training", "global_batch"), ("training", "precision"), ("cluster", "accelerators")
RAMP = ("training", "batch_ramp")


def shape(field: str) -> Path:
    """A field of the model's shape."""
    return ("model", "shape", field)
