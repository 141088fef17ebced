"""What a spec says of the last share of training: another blend, usually richer in code, mathematics and books."""

from typing import Annotated

from pydantic import Field

from sixnd.specs.document import Document, Name


class Anneal(Document):
    """The blend of the last share of training."""

    share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the training tokens."""
    mix: str | None = None
    """A published mix (`sixnd catalog mixes`) that gives the weights, by the sources' kinds."""
    weights: dict[Name, Annotated[float, Field(ge=0, allow_inf_nan=False)]] | None = None
    """Weights by source, relative to each other; a source that is not named is left out of this phase."""
