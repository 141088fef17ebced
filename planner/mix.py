"""The data mix: weights as shares, tokens and epochs of each source."""

from sixnd.specs.budget import BudgetSpec
from sixnd.specs.plan import PlannedData, PlannedSource

EPOCHS_AS_GOOD_AS_NEW = 4
"""Up to four epochs, repeated data is almost as good as new (Muennighoff et al. 2023, §6)."""


def planned_data(spec: BudgetSpec, tokens: int) -> PlannedData:
    """Shares that sum to 1, and the tokens and epochs they amount to."""
    total = sum(source.weight for source in spec.data.sources)
    sources = []
    for source in spec.data.sources:
        share = source.weight / total
        epochs = None if source.unique_tokens is None else tokens * share / source.unique_tokens
        sources.append(
            PlannedSource(
                name=source.name,
                recipe=source.recipe,
                path=source.path,
                weight=share,
                tokens=tokens * share,
                unique_tokens=source.unique_tokens,
                epochs=epochs,
            )
        )
    return PlannedData(sources=sources, tokens=tokens, validation_fraction=spec.data.validation_fraction)
