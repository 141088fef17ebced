"""Near-duplicates by MinHash and locality-sensitive hashing, every pair verified by its exact Jaccard similarity.

Documents are sets of word n-grams (Broder 1997, "On the resemblance and containment of documents"). Each set gets
bands × rows MinHash values; two documents are a candidate pair where all rows of some band agree, which happens with
probability 1-(1-s^r)^b at Jaccard similarity s (Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", 3.4.2).
MinHash values come from rensa's R-MinHash. Its LSH tables are not used: they live in memory and name a document's
partners one query at a time; here bands are sorted on arrays that may lie on disk, which gives the same candidates.

A document is removed if, and only if, it is a candidate of an earlier document *that is kept* and their Jaccard
similarity is at least the threshold. Nothing is removed through a chain of similar documents: whatever goes has a
verified partner that stays, the earliest such one.
"""

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from sixnd.runner.data.findings import Finding, Findings, Progress, Text
from sixnd.runner.data.in_order import batches, map_in_order
from sixnd.runner.data.shelf import Array, Shelf
from sixnd.runner.data.shingles import Hashes, Offsets, shingle_sets
from sixnd.specs.document import Document
from sixnd.specs.errors import SixndError

_BATCH_DOCUMENTS = 512
_BATCH_BYTES = 4 << 20
_MEMORY_BYTES = 512 << 20  # of shingles and of band keys, each, before they go to disk
_BAND_SALT = 0x9E3779B97F4A7C15


class NearDedup(Document):
    """What counts as a near-duplicate, and how surely it is found.

    16 bands of 6 rows find 99.2 % of the pairs at the threshold of 0.8; FineWeb's 14 of 8 find 92.4 %
    (datatrove's default), SlimPajama's 9 of 13 find 40 %.
    """

    ngram: int = Field(default=5, ge=1, le=64)
    """Words in a shingle (FineWeb: 5; SlimPajama: 13)."""
    bands: int = Field(default=16, ge=1, le=1024)
    rows: int = Field(default=6, ge=1, le=64)
    threshold: float = Field(default=0.8, gt=0, le=1)
    """Least Jaccard similarity of the shingle sets of a removed document and the one that stays."""
    seed: int = Field(default=1, ge=0, lt=1 << 32)

    @model_validator(mode="after")
    def _finds_something(self) -> Self:
        """A curve that misses most pairs at its own threshold is a mistake, not a choice."""
        found = candidate_probability(self.threshold, self.bands, self.rows)
        if found < 0.5:
            raise ValueError(
                f"{self.bands} bands of {self.rows} rows find {found:.0%} of the pairs at Jaccard {self.threshold:g}; "
                "take more bands or fewer rows"
            )
        return self


def candidate_probability(similarity: float, bands: int, rows: int) -> float:
    """Probability that a pair of Jaccard ``similarity`` becomes a candidate: 1-(1-s^r)^b."""
    return float(1 - (1 - similarity**rows) ** bands)


def probability_curve(settings: NearDedup, similarities: Iterable[float]) -> list[tuple[float, float]]:
    """Similarities and the probability that a pair of each becomes a candidate."""
    return [(s, candidate_probability(s, settings.bands, settings.rows)) for s in similarities]


@dataclass
class _Signed:
    """A batch of documents: names, sizes in bytes, shingles, and one key a band."""

    names: list[str]
    sizes: Offsets
    shingles: Hashes
    counts: Offsets
    keys: Hashes


def find_near_duplicates(
    documents: Iterable[Text],
    settings: NearDedup | None = None,
    *,
    workers: int = 1,
    spill_dir: Path | None = None,
    progress: Progress | None = None,
) -> Findings:
    """Documents that nearly repeat an earlier one that is kept, each with that one and their Jaccard similarity.

    Holds an identifier a document; shingles (8 bytes a word) and band keys (8 bytes a band and document) lie in
    ``spill_dir`` beyond 512 MiB each. Time grows with the pairs of *kept* documents that share a band by chance.

    Raises ``SixndError`` where rensa is not installed.
    """
    settings = settings or NearDedup()
    _rensa()
    with _Index(spill_dir) as index:
        act = functools.partial(_sign, settings=settings)
        for signed in map_in_order(act, batches(documents, _BATCH_DOCUMENTS, _BATCH_BYTES), workers):
            index.add(signed)
            if progress:
                progress(len(index.names), index.bytes)
        sizes = np.concatenate(index.sizes) if index.sizes else np.empty(0, np.int64)
        found = tuple(
            Finding(i, index.names[i], index.names[j], f"Jaccard similarity {s:.3f}", int(sizes[i]))
            for i, j, s in _removals(index, settings)
        )
        return Findings("near_dedup", settings.plain(), len(index.names), index.bytes, found)


class _Index:
    """Shingles and band keys of all documents."""

    def __init__(self, spill_dir: Path | None) -> None:
        self.names: list[str] = []
        self.sizes: list[Offsets] = []
        self.bytes = 0
        self._counts: list[Offsets] = []
        self._shingles = Shelf(np.uint64, _MEMORY_BYTES, spill_dir)
        self._keys = Shelf(np.uint64, _MEMORY_BYTES, spill_dir)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._shingles.__exit__(None, None, None)
        self._keys.__exit__(None, None, None)

    def add(self, signed: _Signed) -> None:
        self.names += signed.names
        self.sizes.append(signed.sizes)
        self.bytes += int(signed.sizes.sum())
        self._counts.append(signed.counts)
        self._shingles.add(signed.shingles)
        self._keys.add(signed.keys)

    def sets(self) -> tuple[Hashes, Offsets]:
        """Every document's shingles, and where they begin."""
        counts = np.concatenate(self._counts) if self._counts else np.empty(0, np.int64)
        return self._shingles.read(), np.concatenate([[0], np.cumsum(counts)])

    def keys(self, bands: int) -> Hashes:
        """Band keys, one row a document."""
        return self._keys.read().reshape(-1, bands)


def _sign(batch: list[Text], settings: NearDedup) -> _Signed:
    """Shingles and band keys of a batch; depends on nothing but its texts."""
    texts = [text for _, text in batch]
    shingles, offsets = shingle_sets(texts, settings.ngram)
    perms = settings.bands * settings.rows
    matrix = _rensa().RMinHash.digest_matrix_from_flat_token_hashes(shingles, offsets, perms, settings.seed)
    rows = np.array(matrix.to_rows(), dtype=np.uint64).reshape(len(batch), settings.bands, settings.rows)
    sizes = np.array([len(text.encode("utf-8", "surrogatepass")) for text in texts], dtype=np.int64)
    return _Signed([name for name, _ in batch], sizes, shingles, np.diff(offsets), _band_keys(rows).ravel())


def _band_keys(signatures: Hashes) -> Hashes:
    """One 64-bit key a band: bands that agree in all rows share it; others by chance, and verifying parts them."""
    keys = np.zeros(signatures.shape[:2], dtype=np.uint64)
    for row in range(signatures.shape[2]):
        keys = (keys + signatures[:, :, row] + np.uint64(1)) * np.uint64(_BAND_SALT)
        keys ^= keys >> np.uint64(32)
    return keys


def _removals(index: _Index, settings: NearDedup) -> Iterator[tuple[int, int, float]]:
    """Removed documents in order, each with the earliest kept one that it was verified against, and the similarity."""
    shingles, offsets = index.sets()
    kept_in: _Buckets = _Buckets()
    for document, buckets in _shared_buckets(index.keys(settings.bands), np.diff(offsets)):
        own = shingles[offsets[document] : offsets[document + 1]]
        for other in kept_in.partners(buckets):
            theirs = shingles[offsets[other] : offsets[other + 1]]
            similarity = jaccard(own, theirs, settings.threshold)
            if similarity >= settings.threshold:
                yield document, other, similarity
                break
        else:
            kept_in.keep(document, buckets)


@dataclass
class _Buckets:
    """Kept documents of every bucket that more than one document fell into."""

    members: dict[int, list[int]] = field(default_factory=dict)

    def partners(self, buckets: list[int]) -> list[int]:
        """Kept documents of these buckets, earliest first."""
        return sorted({other for bucket in buckets for other in self.members.get(bucket, ())})

    def keep(self, document: int, buckets: list[int]) -> None:
        for bucket in buckets:
            self.members.setdefault(bucket, []).append(document)


def _shared_buckets(keys: Hashes, counts: Offsets) -> Iterator[tuple[int, list[int]]]:
    """Documents that share a bucket with another, in order, each with its buckets; texts without words share none."""
    places, buckets, next_bucket = [], [], 0
    present = np.flatnonzero(counts > 0)
    for band in range(keys.shape[1]):
        column = np.asarray(keys[present, band])
        order = np.argsort(column, kind="stable")
        same = column[order][1:] == column[order][:-1]
        shared = np.zeros(len(order), dtype=bool)
        shared[1:] |= same
        shared[:-1] |= same
        fresh = np.concatenate([[True], ~same])[: len(order)]
        bucket = np.cumsum(fresh)[shared] + next_bucket
        next_bucket += int(fresh.sum())
        places.append(present[order[shared]])
        buckets.append(bucket)
    yield from _by_document(np.concatenate(places), np.concatenate(buckets))


def _by_document(places: Array, buckets: Array) -> Iterator[tuple[int, list[int]]]:
    """Buckets gathered by document, documents in order."""
    order = np.argsort(places, kind="stable")
    places, buckets = places[order], buckets[order]
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    for start, own in zip(starts, np.split(buckets, starts[1:]), strict=False):  # no document, one empty piece
        yield int(places[start]), own.tolist()


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
        raise SixndError("near-duplicates need rensa: pip install 'sixnd[data]'") from error
    return rensa
