"""What a report of a ladder knows, before it is drawn."""

from typing import Literal

from sixnd.reports.documents import Figure, Pair
from sixnd.specs.document import Document


class Knowledge(Document):
    """How well N* and the loss of the target are known, by 95 % intervals."""

    label: str
    chosen: bool
    params: Figure
    """The middle of its interval, which is the law's own N*, and its ends."""
    factor: Figure
    """The interval's half width, as a factor."""
    loss: Figure
    within: Figure
    """Half width of the loss' interval, as a share."""


class RungRow(Document):
    """One small run."""

    name: str
    params: Figure
    tokens: Figure
    tokens_per_param: Figure
    compute: Figure
    accelerators: Figure
    wall_time: Figure
    money: Figure


class LadderFacts(Document):
    """Everything a report of a ladder shows."""

    version: Literal["ladder-facts/1"] = "ladder-facts/1"
    name: str
    verdict: str
    state: str
    share: str
    """Of the target's compute, that it may spend."""
    cost: list[Pair]
    tells: list[Knowledge]
    """Before the ladder, and after a fit to it."""
    designs: list[Knowledge]
    """At equal cost; the chosen one is marked."""
    rungs: list[RungRow]
    target_params: float
    """N* by the law before the ladder."""
    target_tokens: float
    notes: list[str]
