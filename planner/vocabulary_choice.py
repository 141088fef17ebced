"""How many entries a tokenizer for a planned model should have, and what each size costs in embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass

from sixnd.planner.vocabulary import SMALLEST_VOCAB, padded, padding_multiple
from sixnd.planner.vocabulary_law import VocabularySizes, vocabulary_sizes
from sixnd.specs import catalog
from sixnd.specs.laws import VocabularyLaw
from sixnd.specs.plan import Plan

LAW = "tao-2024"
PUBLISHED_SIZES = {"Llama 2": 32_000, "GPT-2": 50_257, "Llama 3": 128_000, "Gemma": 256_128}
"""arXiv:2307.09288 §2.2; Radford et al. 2019 §2.3; arXiv:2407.21783 table 3; arXiv:2403.08295 table 1."""


@dataclass(frozen=True)
class VocabularyChoice:
    """A size by the law of Tao et al. (2024)."""

    entries: int
    """By the approach that takes the plan's compute, rounded up so that tensor-parallel ranks hold as many rows."""
    multiple: int
    sizes: VocabularySizes
    inner_params: float
    """Parameters a token passes through, embeddings left out."""
    compute: float
    """FLOPs, by C = 6ND."""
    outside: str | None
    """What the law was not fitted on, if that is asked of it."""
    source: str


@dataclass(frozen=True)
class EmbeddingCost:
    """Embeddings of the planned model at some number of entries."""

    entries: int
    rows: int
    """Padded."""
    params: int
    """Input and output embeddings together."""
    share: float
    """Of all parameters."""


def chosen_vocabulary(plan: Plan) -> VocabularyChoice:
    """The number of entries of least loss for the plan's model and compute."""
    law = catalog.law(LAW)
    assert isinstance(law, VocabularyLaw)
    model, compute, multiple = plan.model, plan.budget.compute_flops, _multiple(plan)
    inner = model.active_params - (model.params - model.params_non_embedding)
    sizes = vocabulary_sizes(law, inner, model.shape.hidden, compute)
    return VocabularyChoice(
        entries=padded(max(round(sizes.by_loss), SMALLEST_VOCAB), multiple),
        multiple=multiple,
        sizes=sizes,
        inner_params=inner,
        compute=compute,
        outside=_outside(law, inner),
        source=law.source,
    )


def embedding_costs(plan: Plan, sizes: Sequence[int]) -> list[EmbeddingCost]:
    """What so many entries would cost, the rest of the model as planned."""
    matrices, multiple = 1 if plan.model.tied_embeddings else 2, _multiple(plan)
    found = []
    for entries in sizes:
        rows = padded(entries, multiple)
        params = matrices * rows * plan.model.shape.hidden
        found.append(EmbeddingCost(entries, rows, params, params / (plan.model.params_non_embedding + params)))
    return found


def _multiple(plan: Plan) -> int:
    ranks = catalog.accelerator(plan.cluster.accelerator).scale_up_ranks
    return padding_multiple(plan.cluster, ranks, plan.spec.layout.tensor)


def _outside(law: VocabularyLaw, inner: float) -> str | None:
    assert law.fitted_params is not None
    low, high = law.fitted_params
    if low <= inner <= high:
        return None
    return f"{inner:.2g} inner parameters lie outside the {low:.2g} to {high:.2g} that {LAW} was fitted on"
