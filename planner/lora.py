"""Low-rank adapters as the planner counts them: what learns, what it keeps and moves (Hu et al. 2021).

An adapter of a matrix of so many outputs and inputs is A of rank × inputs and B of outputs × rank. Tensor parallelism
splits one of the two with the matrix; the other is whole on every rank.
"""

from dataclasses import dataclass

import numpy as np

from sixnd.planner import model as counts
from sixnd.planner.candidates import Floats, Ints
from sixnd.specs.families import Architecture
from sixnd.specs.lora import Lora, Target

SOURCE = "LoRA: Hu et al. 2021, arXiv:2106.09685"


@dataclass(frozen=True)
class Matrix:
    """One that gets an adapter."""

    outputs: int
    inputs: int
    splits_outputs: bool
    """Whether tensor parallelism splits its outputs (column-parallel) or its inputs (row-parallel)."""


@dataclass(frozen=True)
class Adapters:
    """Of every layer's matrices; nothing else learns."""

    rank: int
    targets: tuple[Target, ...]

    @classmethod
    def of(cls, asked: Lora | None) -> "Adapters | None":
        """As a spec asks for them."""
        return None if asked is None else cls(asked.rank, tuple(asked.targets))

    def matrices(self, model: Architecture) -> list[Matrix]:
        """Of one layer of a dense model with grouped-query attention, as Megatron fuses them."""
        query, key, hidden = counts.query_width(model), counts.kv_width(model), model.hidden
        of: dict[Target, list[Matrix]] = {
            "attention": [Matrix(query + 2 * key, hidden, True), Matrix(hidden, counts.value_width(model), False)],
            "feed-forward": [
                Matrix((2 if model.gated else 1) * model.ffn, hidden, True),
                Matrix(hidden, model.ffn, False),
            ],
        }
        return [matrix for target in self.targets for matrix in of[target]]

    def params(self, model: Architecture) -> int:
        """Exact, of the whole model."""
        return model.layers * self.rank * sum(one.outputs + one.inputs for one in self.matrices(model))

    def layer_params(self, model: Architecture, tensor: Ints) -> Floats:
        """Of one layer on a tensor-parallel rank."""
        return np.asarray(self.rank * sum(_on_rank(one, tensor) for one in self.matrices(model)))

    def kept_elements(self, model: Architecture, target: Target, sequence_shards: Ints) -> Floats:
        """Elements a token that one layer's adapters of a target keep: B's input, of A's rank.

        Before B of a matrix that is split by outputs it is whole; behind A of one split by inputs it is scattered.
        """
        if target not in self.targets:
            return np.zeros(1)
        matrices = Adapters(self.rank, (target,)).matrices(model)
        return np.asarray(self.rank * sum(1 if one.splits_outputs else 1 / sequence_shards for one in matrices))

    def moved_elements(self, model: Architecture, target: Target, tensor: Ints) -> Floats:
        """Elements a token that one forward pass reads and writes for one layer's adapters of a target.

        A reads the input again; B writes an output as wide as the matrix's, and adding both reads two and writes one.
        """
        if target not in self.targets:
            return np.zeros(1)
        matrices = Adapters(self.rank, (target,)).matrices(model)
        each = (
            one.inputs + 4 * one.outputs / tensor if one.splits_outputs else one.inputs / tensor + 4 * one.outputs
            for one in matrices
        )
        return np.asarray(sum(each))


def _on_rank(one: Matrix, tensor: Ints) -> Floats:
    if one.splits_outputs:
        return np.asarray(one.inputs + one.outputs / tensor)
    return np.asarray(one.inputs / tensor + one.outputs)


def learning(model: Architecture, adapters: "Adapters | None") -> int:
    """Parameters that learn: all, or the adapters'."""
    return counts.params(model) if adapters is None else adapters.params(model)
