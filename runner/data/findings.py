"""What a pass over the documents found to be taken out, and the documents that remain.

Deduplication and decontamination work in two passes over the same documents in the same order: the first finds
(`find_...`, which returns `Findings`), the second takes out (`remaining`). Nothing of the text is held in between, so
a corpus may be larger than memory. A document is an identifier and its text; its place in the order is its position.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sixnd.specs.document import sha256_of
from sixnd.specs.errors import SixndError

Text = tuple[str, str]
"""A document: its identifier and its text."""

Progress = Callable[[int, int], None]
"""Called now and then with the documents and bytes (UTF-8) seen so far."""


@dataclass(frozen=True)
class Span:
    """Characters ``start`` to ``end`` of one document, and the document or evaluation item they are also found in."""

    start: int
    end: int
    also_in: str


@dataclass(frozen=True)
class Finding:
    """One document that is taken out whole, or loses the spans named."""

    position: int
    id: str
    also_in: str
    """The document that stays in its place, or the evaluation item it gives away."""
    why: str
    bytes: int
    """What is taken out (UTF-8)."""
    spans: tuple[Span, ...] = ()
    """Empty where the whole document goes."""

    @property
    def whole(self) -> bool:
        """The document is taken out, not cut."""
        return not self.spans


@dataclass(frozen=True)
class Findings:
    """All that one pass found, in the order of the documents."""

    stage: str
    settings: dict[str, Any]
    documents: int
    bytes: int
    found: tuple[Finding, ...]

    @property
    def removed_documents(self) -> int:
        """Documents taken out whole."""
        return sum(finding.whole for finding in self.found)

    @property
    def removed_bytes(self) -> int:
        """Bytes taken out, of whole documents and of spans."""
        return sum(finding.bytes for finding in self.found)

    @property
    def settings_digest(self) -> str:
        """SHA-256 of the stage's name and settings: what decides the findings beside the documents."""
        return sha256_of({"stage": self.stage, "settings": self.settings})

    def examples(self, count: int) -> list[Finding]:
        """Up to ``count`` findings, spread evenly over the corpus, so that one odd file does not fill the list."""
        if count >= len(self.found):
            return list(self.found)
        return [self.found[index * len(self.found) // count] for index in range(count)]


def remaining(documents: Iterable[Text], findings: Findings) -> Iterator[Text]:
    """The documents that stay, cut where they are to be cut.

    Raises ``SixndError`` where the documents are not those that the findings were made of.
    """
    found, seen = iter(findings.found), 0
    ahead = next(found, None)
    for position, (name, text) in enumerate(documents):
        seen += 1
        if ahead is None or ahead.position != position:
            yield name, text
            continue
        if ahead.id != name:
            raise SixndError(f"document {position} is now '{name}', it was '{ahead.id}' when {findings.stage} read it")
        if not ahead.whole:
            yield name, without(text, ahead.spans)
        ahead = next(found, None)
    if seen != findings.documents:
        raise SixndError(f"there are now {seen:,} documents, there were {findings.documents:,} in {findings.stage}")


def without(text: str, spans: Iterable[Span]) -> str:
    """The text without the spans, which are in order and do not overlap."""
    parts, at = [], 0
    for span in spans:
        parts.append(text[at : span.start])
        at = span.end
    return "".join(parts) + text[at:]
