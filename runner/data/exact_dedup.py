"""Exact duplicates: documents whose normalised texts have the same SHA-256; the first of them stays."""

import functools
import hashlib
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from sixnd.runner.data.findings import Finding, Findings, Progress, Text
from sixnd.runner.data.in_order import batches, map_in_order
from sixnd.runner.data.shelf import Array, Shelf
from sixnd.specs.document import Document

_BATCH_DOCUMENTS = 512
_BATCH_BYTES = 4 << 20
_MEMORY_BYTES = 256 << 20  # of digests held before they go to disk: eight million documents
_SPACE = re.compile(r"\s+")


class ExactDedup(Document):
    """How texts are normalised before they are compared."""

    unicode_form: str = "NFC"
    """Unicode normalisation form: `NFC`, `NFKC`, or `none`."""
    collapse_space: bool = True
    """Runs of white space count as one space, none at the ends."""
    ignore_case: bool = False


def normalised(text: str, settings: ExactDedup) -> str:
    """The text as it is compared."""
    if settings.unicode_form != "none" and not text.isascii():
        text = unicodedata.normalize(settings.unicode_form, text)  # type: ignore[arg-type]
    if settings.collapse_space:
        text = _SPACE.sub(" ", text).strip()
    return text.casefold() if settings.ignore_case else text


def find_exact_duplicates(
    documents: Iterable[Text],
    settings: ExactDedup | None = None,
    *,
    workers: int = 1,
    spill_dir: Path | None = None,
    progress: Progress | None = None,
) -> Findings:
    """Documents that repeat an earlier one, each with the first of its kind.

    Holds an identifier and 40 bytes a document; beyond 256 MiB the 40 bytes are on disk in ``spill_dir``.
    """
    settings = settings or ExactDedup()
    names: list[str] = []
    total = 0
    with Shelf(np.uint64, _MEMORY_BYTES, spill_dir) as digests, Shelf(np.int64, _MEMORY_BYTES, spill_dir) as sizes:
        act = functools.partial(_digests_of, settings=settings)
        for ids, values, lengths in map_in_order(act, batches(documents, _BATCH_DOCUMENTS, _BATCH_BYTES), workers):
            names += ids
            digests.add(values)
            sizes.add(lengths)
            total += int(lengths.sum())
            if progress:
                progress(len(names), total)
        first = first_of_each(digests.read().reshape(-1, 4))
        size = sizes.read()
        found = [
            Finding(i, names[i], names[first[i]], "the same text after normalisation", int(size[i]))
            for i in np.flatnonzero(first != np.arange(len(first))).tolist()
        ]
    return Findings("exact_dedup", settings.plain(), len(names), total, tuple(found))


def _digests_of(batch: list[Text], settings: ExactDedup) -> tuple[list[str], Array, Array]:
    texts = [text for _, text in batch]
    digests = b"".join(hashlib.sha256(_utf8(normalised(text, settings))).digest() for text in texts)
    sizes = np.array([len(_utf8(text)) for text in texts], dtype=np.int64)
    return [name for name, _ in batch], np.frombuffer(digests, dtype=np.uint64), sizes


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def first_of_each(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """For every row, the position of the first row equal to it."""
    order = np.lexsort(rows.T[::-1])  # stable: equal rows stay in the order of the documents
    ordered = rows[order]
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    first = np.empty(len(order), dtype=np.int64)
    first[order] = order[fresh][np.cumsum(fresh) - 1] if len(order) else order
    return first
