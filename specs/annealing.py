"""What a spec says of the last share of training: another blend, usually richer in code, mathematics and books."""

from typing import Annotated

from pydantic import Field, field_validator

from sixnd.specs import catalog
from sixnd.specs.document import Document, Name

UPWEIGHTED_KINDS = ("code", "mathematics", "books", "encyclopaedia")
"""What the default blend of annealing is richer in."""
UPWEIGHTED_SHARE = 0.3
"""Share of annealing that goes to them alone by default; the rest is the main blend."""


class Anneal(Document):
    """The blend of the last share of training.

    Without `mix` and `weights`, 70 % of it are the main blend, and 30 % go to the sources of kind code, mathematics,
    books and encyclopaedia, in proportion to their shares there.
    """

    share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the training tokens, rounded to whole steps."""
    mix: str | None = None
    """A published mix (`sixnd catalog mixes`) that gives the weights, by the sources' kinds; a source that it has no
    domain for is left out of this phase. Instead of `weights`."""
    weights: dict[Name, Annotated[float, Field(ge=0, allow_inf_nan=False)]] | None = None
    """Weights by source, relative to each other; a source that is not named is left out of this phase."""
    repeat: bool = False
    """Whether this phase may read documents of the main one again. By default the documents of each source are held
    apart: none is read in both phases."""

    @field_validator("mix")
    @classmethod
    def _known_mix(cls, value: str | None) -> str | None:
        return value if value is None else catalog.checked_name("mixes", value)


def held_for_annealing(unique: float, main: float, annealing: float) -> float:
    """Tokens of a source that are held apart for annealing, of ``unique`` it holds.

    As many as annealing reads, where there is enough for both phases; else both get what there is in proportion to what
    they read, so that both repeat theirs equally often.
    """
    return min(annealing, unique * annealing / (main + annealing))
