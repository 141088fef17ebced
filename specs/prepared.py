"""PreparedData: what preparing the data measured. `sixnd data prepare` writes it; a spec's `data.prepared` names it.

Tokens counted after deduplication then take the place of those declared, and `sixnd run` takes the tokens as they are.
"""

from typing import Annotated, Literal

from pydantic import Field

from sixnd.specs.document import Document, Name, sha256_of
from sixnd.specs.tokenizers import TokenizerKind

Count = Annotated[int, Field(ge=0)]


class PreparedSource(Document):
    """One source after all of its stages."""

    name: Name
    """Of the source in the spec."""
    settings_sha256: str
    """Of what decides its documents: where they come from and every stage's settings."""
    documents: Count
    """That are left."""
    bytes: Count
    """Of UTF-8."""
    tokens: Count
    """With one end-of-document mark each."""
    licences: dict[str, Count]
    """Documents by licence."""
    languages: dict[str, Count]
    """Documents by language, where one is stated or was identified."""


class PreparedData(Document):
    """Documents and tokens of every source, as measured."""

    version: Literal["prepared/1"] = "prepared/1"
    """Version of this document."""
    sixnd_version: str
    """What wrote it."""
    name: Name
    """Name of the spec whose data it is."""
    folder: str
    """Where the tokens are."""
    tokenizer_kind: TokenizerKind
    """What the tokens were made by."""
    tokenizer_sha256: str
    """Of its file."""
    vocab_size: Annotated[int, Field(ge=1)]
    """Entries of the tokenizer."""
    sources: Annotated[list[PreparedSource], Field(min_length=1)]
    """What each source of the spec holds."""

    def source(self, name: str) -> PreparedSource | None:
        """The source of that name."""
        return next((source for source in self.sources if source.name == name), None)

    def content_sha256(self) -> str:
        """SHA-256 of what was measured and made: wherever it lies, and whatever version wrote it down."""
        return sha256_of(self.model_dump(mode="json", exclude={"sixnd_version", "name", "folder"}))
