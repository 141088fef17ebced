"""Reasoning: what the planner works out for a plan's report: how N, D and the loss came about; a ladder's cost."""

from pydantic import Field

from sixnd.specs.document import Document
from sixnd.specs.ladder import Ladder


class Link(Document):
    """One step of a derivation, with its numbers filled in."""

    step: str
    """What is found, e.g. `N*`."""
    formula: str
    value: float | str
    """A number in `unit`, or a choice in words."""
    source: str = ""
    """Paper and equation, catalog entry, field of the spec, or rule."""
    unit: str = ""
    intervals: dict[str, tuple[float, float]] | None = None
    """Low and high end by level, `80 %` and `95 %`."""


class Chain(Document):
    """The derivation of one thing in a plan."""

    name: str
    """Field of the plan, e.g. `model.params`."""
    value: str
    """As the plan holds it."""
    pinned: bool
    """Whether the spec decided it."""
    steps: list[Link]


class Reasoning(Document):
    """Everything a report of a plan shows that does not stand in the plan."""

    chains: list[Chain] = Field(default_factory=list)
    """Of N, D and the loss; empty where `untold` says why."""
    ladder: Ladder | None = None
    """None where `no_ladder` says why."""
    no_ladder: str = ""
    untold: str = ""
    """Why nothing is told: the plan's spec or catalogs are not those it was made from."""
