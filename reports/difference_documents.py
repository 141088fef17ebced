"""What a comparison of plans or runs knows, before it is drawn. The first of them is the one the others are held to."""

from typing import Literal

from sixnd.reports.documents import Figure, Series
from sixnd.specs.document import Document


class NumberRow(Document):
    """One number of all."""

    key: str
    label: str
    values: list[Figure | None]
    """None where one has no such number, or it was not measured."""
    changes: list[str]
    """From the first to each of the others, e.g. `+12.5 %`; empty where one of the two is missing."""
    apart: list[bool | None]
    """Of each of the others: whether its 80 % interval and the first's do not even touch; none where there are none."""


class ChoiceRow(Document):
    """A decision that the plans do not all make alike."""

    what: str
    values: list[str]
    reason: str
    """Why the last that decides it decides so."""


class FieldRow(Document):
    """A field of the specs that differs, as it would be written."""

    path: str
    values: list[str]


class Curves(Document):
    """One quantity over all runs."""

    key: str
    label: str
    unit: str
    series: list[Series]


class Difference(Document):
    """Everything that a comparison shows."""

    version: Literal["difference-facts/2"] = "difference-facts/2"
    kind: Literal["plans", "runs"]
    name: str
    names: list[str]
    """Of the plans or runs, in the order of every list here."""
    verdict: str
    state: str
    measured: list[NumberRow]
    """What the runs became; empty for plans."""
    planned: list[NumberRow]
    fields: list[FieldRow]
    choices: list[ChoiceRow]
    curves: list[Curves]
    flops_per_token: list[float]
    """Of each, counted exactly."""
    warnings: list[str]
