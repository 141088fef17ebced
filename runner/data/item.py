"""One input of a source, as plain data: any process can read it without listing the source again."""

from typing import Annotated, Literal

from pydantic import Field

from sixnd.specs.document import Document

ItemKind = Literal["file", "text", "docstrings", "readme", "member"]
"""How it is read: by its ending, as one text, for its docstrings, for a package's README, or inside an archive."""


class Item(Document):
    """A file, a package's README or a member of an archive."""

    name: str
    """Unique within its source and the same on every machine: relative to the source's root."""
    path: str
    """The file; what is in the cache is named relative to it."""
    bytes: Annotated[int, Field(ge=0)]
    kind: ItemKind = "file"
    licence: str | None = None
    """Where it differs from its source's."""
    offset: Annotated[int, Field(ge=0)] = 0
    """First byte of a member in its archive."""
