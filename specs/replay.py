"""Which of a spec's sources stand for what its base knows, and which are new."""

from sixnd.specs.budget import BudgetSpec, Data


def general_names(spec: BudgetSpec) -> list[str]:
    """Sources that the base was trained on or that stand for them; none without a base."""
    return [] if spec.continual is None else spec.continual.general or []


def new_data(spec: BudgetSpec) -> Data:
    """The data without general sources, whose share `continual.replay` says: all of it without a base."""
    general = general_names(spec)
    return spec.data.model_copy(update={"sources": [s for s in spec.data.sources if s.name not in general]})


def general_data(spec: BudgetSpec) -> Data:
    """The data with general sources alone."""
    general = general_names(spec)
    return spec.data.model_copy(update={"sources": [s for s in spec.data.sources if s.name in general]})


def kept_by_base(spec: BudgetSpec) -> set[str]:
    """General sources whose tokens are taken from the base's folder: those it was trained on that have no text here."""
    if spec.continual is None or spec.continual.origin is None:
        return set()
    known = {source.name for source in spec.continual.origin.sources} & set(general_names(spec))
    return {s.name for s in spec.data.sources if s.name in known and s.recipe is None and s.path is None}
