"""How well tokenizers fit text: bytes a token, tokens a word, entries used, and whether text comes back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sixnd.runner.data.document import Document, utf8_bytes
from sixnd.runner.tokenizers.encode import batches
from sixnd.runner.tokenizers.text_models import TextModel

Array = np.ndarray[Any, Any]


@dataclass
class Measure:
    """One tokenizer on some documents. End-of-document marks are not counted."""

    vocab_size: int
    documents: int = 0
    bytes: int = 0
    words: int = 0
    """Runs of characters between white space; in scripts without spaces a whole sentence is one."""
    tokens: int = 0
    came_back: int = 0
    """Documents that decoding gives back unchanged."""
    used: Array = field(init=False)
    """Which entries occur."""

    def __post_init__(self) -> None:
        self.used = np.zeros(self.vocab_size, bool)

    def add(self, text: str, ids: Array, came_back: bool) -> None:
        """One more document."""
        self.documents += 1
        self.bytes += utf8_bytes(text)
        self.words += len(text.split())
        self.tokens += len(ids)
        self.came_back += came_back
        self.used[ids] = True

    def plus(self, other: "Measure") -> "Measure":
        """Both together."""
        total = Measure(self.vocab_size)
        for name in ("documents", "bytes", "words", "tokens", "came_back"):
            setattr(total, name, getattr(self, name) + getattr(other, name))
        total.used = self.used | other.used
        return total

    @property
    def bytes_per_token(self) -> float:
        """Higher is shorter."""
        return self.bytes / max(self.tokens, 1)

    @property
    def tokens_per_word(self) -> float:
        """Fertility."""
        return self.tokens / max(self.words, 1)

    @property
    def used_share(self) -> float:
        """Share of the entries that occur."""
        return float(self.used.mean())

    def plain(self) -> dict[str, Any]:
        """Numbers alone."""
        counts = ("documents", "bytes", "words", "tokens", "came_back")
        rates = ("bytes_per_token", "tokens_per_word", "used_share")
        return {name: getattr(self, name) for name in (*counts, *rates)}


def measured(models: Mapping[str, TextModel], documents: Iterable[Document]) -> dict[tuple[str, str], Measure]:
    """Measures by tokenizer and language; the language is ``""`` where a document states none."""
    found: dict[tuple[str, str], Measure] = {}
    languages: list[str] = []

    def texts() -> Iterable[str]:
        for document in documents:
            languages.append(document.language or "")
            yield document.text

    for batch in batches(texts()):
        for name, model in models.items():
            for text, language, ids in zip(batch, languages, model.encode(batch), strict=False):
                measure = found.setdefault((name, language), Measure(model.vocab_size))
                measure.add(text, ids, model.decode(ids.tolist()) == text)
        del languages[: len(batch)]
    return found


def together(measures: Iterable[Measure]) -> Measure:
    """All of one tokenizer's measures as one; there must be one at least."""
    total, *rest = measures
    for measure in rest:
        total = total.plus(measure)
    return total
