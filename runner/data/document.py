"""One document of text, as readers give it, stages pass it on and tokenizers take it."""

from dataclasses import dataclass


def utf8_bytes(text: str) -> int:
    """Bytes of a text in UTF-8; half of a surrogate pair, which UTF-8 has not, counts three."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True)
class Document:
    """A text with where it came from and under which licence: neither is ever separated from it."""

    id: str
    """Unique within its source: a file's name, or the file and the line, row or record in it."""
    text: str
    licence: str
    """As the document, else its source, states it."""
    source: str = ""
    """Name of the source in the spec."""
    language: str | None = None
    """ISO 639 code, where it is stated or was identified."""
    path: str | None = None
    """The file it stands in."""
    offset: int | None = None
    """Where in that file: line (from 1), row (from 0), or byte of a WARC record."""
