"""Near-duplicates by MinHash and locality-sensitive hashing, every pair verified by its exact Jaccard similarity.

Documents are sets of word n-grams (Broder 1997, "On the resemblance and containment of documents"). Each set gets
bands × rows MinHash values; two documents are a candidate pair where all rows of some band agree (the
probability is `specs.text_filters.NearDedup.candidate_probability`). MinHash values come from rensa's R-MinHash. Its
LSH tables are not used: they live in memory and name a document's partners one query at a time; here bands are sorted
on arrays that lie on disk, which gives the same candidates.

A document is removed if, and only if, it is a candidate of an earlier document *that is kept* and their Jaccard
similarity is at least the threshold. Nothing is removed through a chain of similar documents: whatever goes has a
verified partner that stays, the earliest such one.
"""

import importlib.metadata
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sixnd.runner.data.document import Document
from sixnd.runner.data.findings import Finding, Remover, write_findings
from sixnd.runner.data.in_order import batches
from sixnd.runner.data.shelf import Array
from sixnd.runner.data.shingles import Hashes, shingle_sets
from sixnd.runner.data.signature import Signatures, SignatureWriter
from sixnd.specs.errors import SixndError
from sixnd.specs.text_filters import NearDedup

_CHUNK_DOCUMENTS = 1 << 16  # looked through at once for those that share a bucket
_BAND_SALT = 0x9E3779B97F4A7C15


class NearDeduplicator:
    """Takes out documents that nearly repeat an earlier one that is kept.

    A signature has 8 bytes a shingle, which is about one a word, and 8 bytes a band. Finding has 8 bytes a band and
    document on disk in its scratch folder, in memory about 40 bytes a document. Time grows with the pairs of *kept*
    documents that share a band by chance.

    Raises ``SixndError`` where rensa is not installed.
    """

    name = "near-dedup"

    def __init__(self, chosen: NearDedup) -> None:
        self._chosen = chosen
        self._rensa = _rensa()
        self.settings = chosen.plain() | {"rensa_version": importlib.metadata.version("rensa")}

    def signed(self, documents: Iterable[Document], path: Path) -> Iterator[Document]:
        """Pass documents through and write their shingles and one key a band."""
        with SignatureWriter(path, self, plain={"keys": np.uint64}, ragged={"shingles": np.uint64}) as writer:
            for batch in batches(documents):
                shingles, offsets = shingle_sets([document.text for document in batch], self._chosen.ngram)
                writer.add_documents(batch)
                writer.add("keys", self._band_keys(shingles, offsets))
                writer.add_rows("shingles", shingles, np.diff(offsets))
                yield from batch

    def find(
        self,
        signed: Sequence[Path],
        findings: Sequence[Path],
        *,
        scratch: Path,
        workers: int = 1,  # noqa: ARG002 - whether a document stays decides about those after it
    ) -> None:
        """Each near-duplicate with the earliest kept document it was verified against, and their similarity."""
        shards = Signatures(signed, self)
        with _predecessors(shards, self._chosen.bands, scratch) as before:
            found = (_finding(shards, *removal) for removal in _removals(shards, before, self._chosen.threshold))
            write_findings(self, shards, findings, found)

    def remover(self, findings: Path) -> Remover:
        """The stage that takes the near-duplicates out of one shard."""
        return Remover(self, "near-duplicate", findings)

    def _band_keys(self, shingles: Hashes, offsets: Array) -> Hashes:
        """One 64-bit key a band: bands that agree in all rows share it; others by chance, and verifying parts them."""
        bands, rows = self._chosen.bands, self._chosen.rows
        matrix = self._rensa.RMinHash.digest_matrix_from_flat_token_hashes(
            shingles, offsets, bands * rows, self._chosen.seed
        )
        values = np.array(matrix.to_rows(), dtype=np.uint64).reshape(len(offsets) - 1, bands, rows)
        keys = np.zeros(values.shape[:2], dtype=np.uint64)
        for row in range(rows):
            keys = (keys + values[:, :, row] + np.uint64(1)) * np.uint64(_BAND_SALT)
            keys ^= keys >> np.uint64(32)
        return keys.ravel()


def _finding(shards: Signatures, document: int, other: int, similarity: float) -> Finding:
    also_in = shards.seen_from(other, document)
    why = f"Jaccard similarity {similarity:.3f} to {also_in}, which stays"
    return Finding(document, shards.id(document), also_in, why)


@contextmanager
def _predecessors(shards: Signatures, bands: int, scratch: Path) -> Iterator[Array]:
    """For every band and document, the nearest document before it with the same key, or -1; on disk, writable.

    Documents without a word have none.
    """
    documents = int(shards.starts[-1])
    if not documents:
        yield np.empty((bands, 0), np.int64)
        return
    with tempfile.TemporaryFile(dir=scratch) as file:
        for _ in range(bands):  # written, not only made as long: a full disk is told here, not by a bus error
            file.write(bytes(8 * documents))
        file.flush()
        table = np.memmap(file, np.uint64, "r+", shape=(bands, documents)).view(np.ndarray)
        present = _gather_keys(shards, table)
        for keys in table:  # a band's keys are used once: its predecessors take their place
            keys.view(np.int64)[:] = _predecessors_in(keys[present], present, documents)
        yield table.view(np.int64)


def _gather_keys(shards: Signatures, table: Hashes) -> Array:
    """Fill in the keys of all documents, one row a band; documents that have any word."""
    present = []
    for shard in range(len(shards)):
        signature, start, end = shards.opened(shard), shards.starts[shard], shards.starts[shard + 1]
        table[:, start:end] = signature.column("keys").reshape(-1, len(table)).T
        present.append(np.flatnonzero(np.diff(signature.column("shingles ends"), prepend=0)) + start)
    return np.concatenate(present)


def _predecessors_in(keys: Hashes, present: Array, documents: int) -> Array:
    order = np.argsort(keys, kind="stable")  # equal keys stay in the order of the documents
    ordered = keys[order]
    same = ordered[1:] == ordered[:-1]
    before = np.full(documents, -1, dtype=np.int64)
    before[present[order[1:][same]]] = present[order[:-1][same]]
    return before


def _removals(shards: Signatures, before: Array, threshold: float) -> Iterator[tuple[int, int, float]]:
    """Removed documents in order, each with the earliest kept one that it was verified against, and the similarity."""
    removed = np.zeros(before.shape[1], dtype=bool)
    for start in range(0, len(removed), _CHUNK_DOCUMENTS):
        shared = (before[:, start : start + _CHUNK_DOCUMENTS] >= 0).any(axis=0)
        for document in (np.flatnonzero(shared) + start).tolist():
            own = shards.row("shingles", document)
            for other in _kept_candidates(before, removed, document):
                similarity = jaccard(own, shards.row("shingles", other), threshold)
                if similarity >= threshold:
                    removed[document] = True
                    yield document, other, similarity
                    break


def _kept_candidates(before: Array, removed: Array, document: int) -> list[int]:
    """Kept documents before this one that share a bucket with it, earliest first.

    Its predecessors become kept ones on the way: every earlier document's are already, so each bucket's kept documents
    are one chain, however many were removed between them.
    """
    found: set[int] = set()
    for band, first in enumerate(before[:, document].tolist()):
        kept = first
        if first >= 0 and removed[first]:
            kept = before[band, document] = before[band, first]
        while kept >= 0:
            found.add(int(kept))
            kept = before[band, kept]
    return sorted(found)


def jaccard(one: Hashes, other: Hashes, least: float = 0.0) -> float:
    """Jaccard similarity of two sorted sets; 0 where their sizes alone put it below ``least``."""
    small, large = sorted((len(one), len(other)))
    if large == 0 or small < least * large:
        return 0.0
    both = np.concatenate([one, other])
    both.sort()
    shared = int(np.count_nonzero(both[1:] == both[:-1]))
    return shared / (len(both) - shared)


def _rensa() -> Any:
    try:
        import rensa
    except ImportError as error:
        raise SixndError("near-duplicates need rensa", "pip install 'sixnd[data]'") from error
    return rensa
