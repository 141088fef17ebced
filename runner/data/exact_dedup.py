"""Exact duplicates: documents whose normalised texts have the same SHA-256; the first of them stays."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sixnd.runner.data.document import Document
from sixnd.runner.data.findings import Finding, Remover, write_findings
from sixnd.runner.data.in_order import batches
from sixnd.runner.data.shelf import Array
from sixnd.runner.data.signature import Signatures, SignatureWriter
from sixnd.specs.text_filters import ExactDedup

_MEMORY_BYTES = 256 << 20  # of digests and their order, compared at once
_BYTES_A_DOCUMENT = 128  # digest, place, order and their sorted copies
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class ExactDeduplicator:
    """Takes out documents that repeat an earlier one.

    A signature has 32 bytes a document and its identifier. Finding compares digests in portions of 256 MiB, each of
    those that leave the same remainder, and holds 16 bytes a duplicate.
    """

    chosen: ExactDedup
    name: str = "exact-dedup"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings, with the version of Unicode by which they act."""
        return self.chosen.plain() | {"unicode_version": unicodedata.unidata_version}

    def signed(self, documents: Iterable[Document], path: Path) -> Iterator[Document]:
        """Pass documents through and write their digests."""
        with SignatureWriter(path, self, plain={"digests": np.uint64}, ragged={}) as writer:
            for batch in batches(documents):
                writer.add_documents(batch)
                writer.add("digests", self._digests(batch))
                yield from batch

    def find(
        self,
        signed: Sequence[Path],
        findings: Sequence[Path],
        *,
        scratch: Path,  # noqa: ARG002 - sorting numbers needs neither a folder nor other processes
        workers: int = 1,  # noqa: ARG002
    ) -> None:
        """Each repeat with the first of its kind."""
        shards = Signatures(signed, self)
        later, first = _repeats(shards)
        found = (_finding(shards, int(i), int(j)) for i, j in zip(later, first, strict=True))
        write_findings(self, shards, findings, found)

    def remover(self, findings: Path) -> Remover:
        """The stage that takes the repeats out of one shard."""
        return Remover(self, "exact duplicate", findings)

    def _digests(self, batch: list[Document]) -> Array:
        texts = (normalised(document.text, self.chosen) for document in batch)
        digests = (hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts)
        return np.frombuffer(b"".join(digests), dtype=np.uint64)


def normalised(text: str, settings: ExactDedup) -> str:
    """The text as it is compared."""
    if settings.unicode != "as-is" and not text.isascii():
        text = unicodedata.normalize(settings.unicode, text)
    if settings.collapse_space:
        text = _SPACE.sub(" ", text).strip()
    return text.casefold() if settings.ignore_case else text


def _finding(shards: Signatures, document: int, first: int) -> Finding:
    also_in = shards.seen_from(first, document)
    return Finding(document, shards.id(document), also_in, f"the same text as {also_in}, which stays")


def _repeats(shards: Signatures) -> tuple[Array, Array]:
    """Documents whose digest stands earlier, in order, and the first of each one's kind."""
    portions = -(-int(shards.starts[-1]) * _BYTES_A_DOCUMENT // _MEMORY_BYTES)
    found = [_repeats_in(*_portion(shards, portion, portions)) for portion in range(portions)]
    later, first = (np.concatenate([np.empty(0, np.int64), *(pair[i] for pair in found)]) for i in (0, 1))
    order = np.argsort(later)
    return later[order], first[order]


def _portion(shards: Signatures, portion: int, portions: int) -> tuple[Array, Array]:
    """Digests that leave the remainder ``portion``, one row each, and their documents."""
    rows, places = [], []
    for shard in range(len(shards)):
        digests = shards.opened(shard).column("digests").reshape(-1, 4)
        own = np.flatnonzero(digests[:, 0] % np.uint64(portions) == portion)
        rows.append(digests[own])
        places.append(own + shards.starts[shard])
    return np.concatenate(rows), np.concatenate(places)


def _repeats_in(rows: Array, places: Array) -> tuple[Array, Array]:
    """Places of rows that repeat one before, and the place of the first row equal to each."""
    order = np.lexsort(rows.T[::-1])  # stable: equal rows stay in the order of the documents
    ordered, places = rows[order], places[order]
    repeats = np.zeros(len(order), dtype=bool)
    repeats[1:] = (ordered[1:] == ordered[:-1]).all(axis=1)
    first = places[~repeats][np.cumsum(~repeats) - 1]
    return places[repeats], first[repeats]
