"""Documents counted as they go by: how many, how much text, under which licences, in which languages."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sixnd.runner.data.document import Document, utf8_bytes


@dataclass
class Census:
    """Counts so far."""

    documents: int = 0
    bytes: int = 0
    """Of UTF-8."""
    licences: Counter[str] = field(default_factory=Counter)
    """Documents by licence."""
    languages: Counter[str] = field(default_factory=Counter)
    """Documents by language, where one is stated or was identified."""

    def counted(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The same documents; each is counted as it is taken."""
        for document in documents:
            self.documents += 1
            self.bytes += utf8_bytes(document.text)
            self.licences[document.licence] += 1
            if document.language:
                self.languages[document.language] += 1
            yield document
