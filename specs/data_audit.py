"""DataAudit: what is left in prepared data that may not belong there. `sixnd data audit` writes it as JSON."""

from typing import Annotated, Literal

from pydantic import Field

from sixnd.specs.document import Document
from sixnd.specs.licences import LicenceKind

Count = Annotated[int, Field(ge=0)]


class Duplicates(Document):
    """Documents of one source that another document, earlier in the corpus, makes superfluous."""

    source: str
    """Where they are."""
    of: str
    """Source of the earlier documents: the same one, or another."""
    exact: Count
    """The same text, white space aside."""
    near: Count
    """Not the same, but verified as similar as near-deduplication asks."""
    examples: list[str]
    """A few, each with the document it is a duplicate of."""


class LicenceHeld(Document):
    """One licence and its documents."""

    licence: str
    kind: LicenceKind
    documents: Count


class SourceAudit(Document):
    """What one source holds after all of its stages."""

    name: str
    documents: Count
    bytes: Count
    """Of UTF-8."""
    licences: list[LicenceHeld]
    """Most documents first."""
    languages: dict[str, Count]
    """Documents by language; those of unknown language are in none."""
    addresses: dict[str, Count]
    """E-mail and public IP addresses, by what they are."""
    documents_with_addresses: Count


class DataAudit(Document):
    """All sources."""

    version: Literal["data-audit/1"] = "data-audit/1"
    sources: list[SourceAudit]
    duplicates: list[Duplicates]
    """Pairs of sources, the same one twice among them, that have any."""
    near_settings: str
    """By which near-duplicates were looked for."""
