"""What a tokenizer is trained on: a sample of each source in proportion to its share."""

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sixnd.runner.data.document import Document, utf8_bytes
from sixnd.runner.tokenizers.text_sources import TextSource

_PIECE_CHARACTERS = 1 << 16
"""Documents are drawn in pieces of this length, so that one long document is not all there is."""


@dataclass(frozen=True)
class Sampled:
    """Text taken from one source."""

    source: str
    share: float
    """Of the sample, as asked."""
    asked_bytes: int
    texts: list[str]

    @property
    def bytes(self) -> int:
        """Of UTF-8: less than asked where the source has no more."""
        return sum(map(utf8_bytes, self.texts))


def sampled(
    sources: Sequence[tuple[TextSource, float]], most_bytes: int, seed: int | None, hold_out: float = 0
) -> list[Sampled]:
    """Text of each source by its share of ``most_bytes``, the share ``hold_out`` of the documents left out.

    Without a ``seed`` the first documents, which come in fair order, and no more is read; with one, pieces of
    documents drawn from the whole source.
    """
    found = []
    for source, share in sources:
        asked = int(share * most_bytes)
        documents = (one for one in source.documents() if not is_held_out(one, hold_out))
        texts = first(documents, asked) if seed is None else drawn(documents, asked, seed)
        found.append(Sampled(source.name, share, asked, list(texts)))
    return found


def is_held_out(document: Document, share: float) -> bool:
    """Whether a document is of the share that a tokenizer is judged by and not trained on; its name alone decides."""
    digest = hashlib.blake2b(document.id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


def first(documents: Iterable[Document], most_bytes: int) -> Iterator[str]:
    """Texts until ``most_bytes`` are reached, the last one cut."""
    left = most_bytes
    for document in documents:
        content = document.text.encode()
        yield content[:left].decode(errors="ignore")  # a character that is cut is left out
        left -= len(content)
        if left <= 0:
            return


def drawn(documents: Iterable[Document], most_bytes: int, seed: int) -> list[str]:
    """Pieces with the smallest digests of seed, document and place: an even draw, whatever order documents come in."""
    kept: list[tuple[int, str, int]] = []  # the largest digest first
    total = 0
    for document in documents:
        for start in range(0, len(document.text), _PIECE_CHARACTERS):
            piece = document.text[start : start + _PIECE_CHARACTERS]
            size = utf8_bytes(piece)
            heapq.heappush(kept, (-_rank(seed, document, start), piece, size))
            total += size
            while total - kept[0][2] >= most_bytes:
                total -= heapq.heappop(kept)[2]
    return [piece for _, piece, _ in sorted(kept, reverse=True)]


def _rank(seed: int, document: Document, start: int) -> int:
    key = f"{seed}\0{document.source}\0{document.id}\0{start}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(key, digest_size=16).digest(), "big")
