"""Held-out documents as evaluations read them: first documents, cut where text can be cut."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sixnd.runner.data.document import utf8_bytes
from sixnd.runner.indexed_reader import Array, IndexedReader
from sixnd.runner.tokenizers.text_models import END_OF_DOCUMENT, TextModel

_LOOK_AHEAD = 8
"""Tokens behind a cut that settle what the ones before it mean."""


@dataclass(frozen=True)
class HeldOut:
    """The beginning of one source's held-out text."""

    source: str
    tokens: Array
    """Ids, end-of-document marks included, as they stand one after the other."""
    bytes: int
    """Of the same text in UTF-8."""


def documents(reader: IndexedReader) -> Iterator[Array]:
    """Token ids of each document, its end included."""
    for tokens, lengths in reader.batches(0, reader.documents):
        yield from np.split(tokens, np.cumsum(lengths)[:-1])


def held_out(source: str, reader: IndexedReader, model: TextModel, most: int) -> HeldOut:
    """The first ``most`` tokens, or a few less: the last document is cut between two characters."""
    parts, size, left = [], 0, most
    for document in documents(reader):
        part = document if len(document) <= left else document[: _cut(document, left, model)]
        parts.append(part)
        size += utf8_bytes(model.decode(part[part != END_OF_DOCUMENT]))
        left -= len(part)
        if len(part) < len(document) or not left:
            break
    return HeldOut(source, np.concatenate(parts), size)


def _cut(document: Array, most: int, model: TextModel) -> int:
    """The largest number of tokens up to ``most`` whose text the text of more tokens begins with."""
    seen = document[: most + _LOOK_AHEAD]
    text = model.decode(seen[seen != END_OF_DOCUMENT])
    for count in range(most, 0, -1):
        if text.startswith(model.decode(document[:count])):
            return count
    return 0
