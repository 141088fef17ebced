"""Low-rank adapters as the planner counts them: what learns, what it keeps and moves (Hu et al. 2021).

An adapter of a matrix of so many outputs and inputs is A of rank × inputs and B of outputs × rank. Tensor parallelism
splits one of the two with the matrix; the other is whole on every rank.
"""

from dataclasses import dataclass

import numpy as np

from sixnd.planner import model as counts
from sixnd.planner.candidates import Floats, Ints
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.families import Architecture
from sixnd.specs.lora import Target

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
    def of(cls, spec: BudgetSpec) -> "Adapters | None":
        """As a spec asks for them; none where all weights learn."""
        asked = spec.continual.lora if spec.continual else None
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

    def only(self, target: Target) -> "Adapters":
        """Those of one target."""
        return Adapters(self.rank, (target,))

    def params(self, model: Architecture) -> int:
        """Exact, of the whole model."""
        return model.layers * self.rank * sum(one.outputs + one.inputs for one in self.matrices(model))

    def layer_params(self, model: Architecture, tensor: Ints) -> Floats:
        """Of one layer on a tensor-parallel rank."""
        return np.asarray(self.rank * sum(_on_rank(one, tensor) for one in self.matrices(model)))

    def widest(self, model: Architecture) -> int:
        """Outputs of the widest matrix that tensor parallelism splits by its outputs."""
        return max(one.outputs for one in self.matrices(model) if one.splits_outputs)

    def kept_elements(self, model: Architecture, target: Target, sequence_shards: Ints) -> Floats:
        """Elements a token that one layer's adapters of a target keep: B's input, of A's rank.

        Before B of a matrix that is split by outputs it is whole; behind A of one split by inputs it is scattered.
        """
        if target not in self.targets:
            return np.zeros(1)
        matrices = self.only(target).matrices(model)
        return np.asarray(self.rank * sum(1 if one.splits_outputs else 1 / sequence_shards for one in matrices))

    def moved_elements(self, model: Architecture, tensor: Ints) -> Floats:
        """Elements a token that memory moves for one layer's adapters in each of three passes, on a rank.

        Forward A reads the input, B writes an output as wide as the matrix's, and their sum reads two and writes one;
        backward the output's gradient is read twice, the input read again, and its gradient added up: six times inputs
        and outputs in all.
        """
        return np.asarray(2 * sum(_on_rank(one, tensor) for one in self.matrices(model)))


def _on_rank(one: Matrix, tensor: Ints) -> Floats:
    if one.splits_outputs:
        return np.asarray(one.inputs + one.outputs / tensor)
    return np.asarray(one.inputs / tensor + one.outputs)
