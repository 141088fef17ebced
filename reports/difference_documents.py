"""What a comparison of two plans or two runs knows, before it is drawn."""

from typing import Literal

from sixnd.reports.documents import Figure, Series
from sixnd.specs.document import Document


class NumberPair(Document):
    """One number of both."""

    key: str
    label: str
    first: Figure | None
    """None where the first has no such number, or it was not measured."""
    second: Figure | None
    change: str
    """From the first to the second, e.g. `+12.5 %`; empty where one is missing."""
    apart: bool | None
    """Whether the 80 % intervals of two estimates do not even touch; none where there are none."""


class ChoicePair(Document):
    """A decision that the two plans make differently."""

    what: str
    first: str
    second: str
    reason: str
    """Why the second is as it is; where only the first decides it, why that is."""


class FieldPair(Document):
    """A field of the spec that differs, as it would be written."""

    path: str
    first: str
    second: str


class Curves(Document):
    """One quantity over both runs."""

    key: str
    label: str
    unit: str
    first: Series
    second: Series


class Difference(Document):
    """Everything that a comparison shows."""

    version: Literal["difference-facts/1"] = "difference-facts/1"
    kind: Literal["plans", "runs"]
    name: str
    first: str
    second: str
    verdict: str
    state: str
    measured: list[NumberPair]
    """What the runs became; empty for plans."""
    planned: list[NumberPair]
    fields: list[FieldPair]
    choices: list[ChoicePair]
    curves: list[Curves]
    warnings: list[str]
