"""What a report knows of the data: every source, stage by stage, as values and as the text that people read."""

from typing import Literal

from sixnd.reports.documents import Figure, Pair, Part
from sixnd.specs.document import Document


class RemovalExample(Document):
    """One document that a stage removed."""

    id: str
    detail: str
    """What was found and what would have been allowed."""
    excerpt: str
    """The beginning of its text."""


class Removal(Document):
    """What a stage removed for one reason."""

    reason: str
    documents: Figure
    bytes: Figure
    examples: list[RemovalExample]


class StageAccount(Document):
    """What went into a stage, and what came out."""

    name: str
    documents_in: Figure
    documents_out: Figure
    kept: Figure
    """Share of the documents."""
    bytes_in: Figure
    bytes_out: Figure
    removed: list[Removal]
    """Most documents first."""
    changed: list[Part]
    """How often what was changed in kept documents, and how often in a thousand of them."""


class DamageKind(Document):
    """What could not be read."""

    kind: str
    count: Figure
    first: list[str]
    """The first few places."""


class Curve(Document):
    """How likely near-deduplication compares a pair, by the pair's Jaccard similarity."""

    settings: str
    points: list[Pair]
    """Similarity and probability."""


class SourceAccount(Document):
    """One source, from what was read to what is left."""

    name: str
    documents: Figure
    """That are left, as `bytes` and what follows."""
    bytes: Figure
    tokens: Figure | None
    """None where it is not tokenised yet."""
    stages: list[StageAccount]
    damage: list[DamageKind]
    licences: list[Part]
    languages: list[Part]


class DataFacts(Document):
    """Everything a report shows of prepared data."""

    version: Literal["data-facts/1"] = "data-facts/1"
    summary: str
    """All sources in a sentence; empty where nothing was prepared."""
    sources: list[SourceAccount]
    curves: list[Curve]
