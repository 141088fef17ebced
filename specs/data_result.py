"""What became of a source's documents: the document that preparing it writes."""

from typing import Annotated, Any, Literal

from pydantic import Field

from sixnd.specs.document import Document

Count = Annotated[int, Field(ge=0)]


class Example(Document):
    """One document that a stage removed."""

    id: str
    """Document that it is from."""
    detail: str
    """What was found and what would have been allowed."""
    excerpt: str
    """The beginning of its text."""


class RemovedFor(Document):
    """What a stage removed for one reason."""

    reason: str
    """Why documents went."""
    documents: Count
    """How many went for it."""
    bytes: Count
    """Of UTF-8."""
    examples: list[Example]
    """A few, drawn evenly by a seed: the same ones in whatever order documents come."""


class StageResult(Document):
    """Counts of one stage."""

    name: str
    """Name of the stage."""
    settings_sha256: str
    """Of what decides its verdicts."""
    settings: dict[str, Any]
    """Its thresholds as they were used."""
    documents_in: Count
    """Documents that came."""
    bytes_in: Count
    """Their UTF-8 bytes."""
    documents_out: Count
    """Documents that are left."""
    bytes_out: Count
    """Their UTF-8 bytes."""
    edits: dict[str, Count]
    """How often what was changed in documents that were kept."""
    removed: list[RemovedFor]
    """Most documents first."""


class DamageFound(Document):
    """What could not be read, by kind."""

    kind: str
    """What could not be read."""
    count: Count
    """How often."""
    first: list[str]
    """The first few places."""


class StagesResult(Document):
    """What became of the documents of one source, stage by stage."""

    version: Literal["stages-result/1"] = "stages-result/1"
    source: str
    settings_sha256: str
    """Of all stages' settings, in order."""
    seed: int
    stages: list[StageResult]
    damage: list[DamageFound]
