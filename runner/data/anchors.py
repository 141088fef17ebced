"""Where a passage that stands twice could stand: a sieve before suffix arrays that lets no such passage through.

Winnowing (Schleimer, Wilkerson and Aiken 2003, "Winnowing: Local Algorithms for Document Fingerprinting"): of all
n-grams of bytes in a window of ``least`` bytes, the one with the smallest number is the window's anchor. Equal windows
have equal anchors. So a window none of whose anchors stands twice stands once, and need not be looked at; about one
n-gram in ``least / 4`` is an anchor. Numbers that are equal by chance cost time and change nothing.
"""

from typing import Any

import numpy as np

from sixnd.runner.data.shelf import Array
from sixnd.runner.data.shingles import Hashes, byte_ngram_hashes
from sixnd.runner.data.signature import Signatures

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Places = np.ndarray[Any, np.dtype[np.int64]]

END = 0xFF
"""The end of a document: a byte that is in no UTF-8 text."""
_WINDOWS_AT_ONCE = 1 << 18
_MEMORY_BYTES = 256 << 20  # of anchors and their order, compared at once
_BYTES_AN_ANCHOR = 48


def anchors(text: Bytes, least: int) -> tuple[Hashes, Places]:
    """Numbers and places of the anchors of all windows of ``least`` bytes that hold no end of a document."""
    ngram = least // 2
    numbers, places = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for start in range(0, len(text) - least + 1, _WINDOWS_AT_ONCE):
        own = byte_ngram_hashes(text[start : start + _WINDOWS_AT_ONCE + least - 1], ngram)
        chosen = np.flatnonzero(_chosen(own, least - ngram + 1))
        numbers.append(own[chosen])
        places.append(chosen + start)
    place, first = np.unique(np.concatenate(places), return_index=True)  # windows of two pieces may share one
    ends = np.concatenate([[0], np.cumsum(text == END)])
    whole = ends[place + ngram] == ends[place]
    return np.concatenate(numbers)[first][whole], place[whole]


def _chosen(numbers: Hashes, width: int) -> Any:
    """Whether each number is the smallest of any ``width`` numbers in a row that it stands among."""
    smallest = _sliding(np.minimum, numbers, width, np.iinfo(np.uint64).max)
    around = np.zeros(width - 1, np.uint64)
    return _sliding(np.maximum, np.concatenate([around, smallest, around]), width, 0) == numbers


def _sliding(extreme: np.ufunc, values: Hashes, width: int, neutral: int) -> Hashes:
    """Smallest or largest of every ``width`` values in a row, from running ones over blocks of that width.

    After van Herk 1992, "A fast algorithm for local minimum and maximum filters".
    """
    rows = np.full((-(-len(values) // width), width), neutral, np.uint64)
    rows.ravel()[: len(values)] = values
    from_start = extreme.accumulate(rows, axis=1).ravel()
    to_end = extreme.accumulate(rows[:, ::-1], axis=1)[:, ::-1].ravel()
    found: Hashes = extreme(to_end[: len(values) - width + 1], from_start[width - 1 : len(values)])
    return found


def repeated_regions(shards: Signatures, shard_starts: Places, starts: Places, least: int) -> tuple[Places, Places]:
    """First and last byte (exclusive) of all parts of documents in which a repeated window could stand.

    ``shard_starts`` and ``starts`` are the first bytes of shards and documents. Parts are in order and apart, and none
    reaches over the end of its document.
    """
    places = _repeated_places(shards, shard_starts)
    owners = np.searchsorted(starts, places, side="right") - 1
    begins = np.maximum(places - (least - least // 2), starts[owners])
    ends = np.minimum(places + least, starts[owners + 1] - 1)
    fresh = np.flatnonzero(begins[1:] > ends[:-1]) + 1
    return begins[np.append(0, fresh)[: len(places)]], ends[np.append(fresh, len(places))[: len(places)] - 1]


def _repeated_places(shards: Signatures, shard_starts: Places) -> Places:
    """Places of all anchors whose number stands more than once, in order."""
    count = sum(len(shards.opened(shard).column("anchors")) for shard in range(len(shards)))
    portions = -(-count * _BYTES_AN_ANCHOR // _MEMORY_BYTES)
    found = [_repeated_in(*_portion(shards, shard_starts, portion, portions)) for portion in range(portions)]
    return np.sort(np.concatenate([np.empty(0, np.int64), *found]))


def _portion(shards: Signatures, shard_starts: Places, portion: int, portions: int) -> tuple[Hashes, Places]:
    """Anchors whose numbers leave the remainder ``portion``, and where they stand."""
    numbers, places = [], []
    for shard in range(len(shards)):
        signature = shards.opened(shard)
        own: Array = signature.column("anchors")
        chosen = np.flatnonzero(own % np.uint64(portions) == portion)
        numbers.append(own[chosen])
        places.append(signature.column("anchor places")[chosen] + shard_starts[shard])
    return np.concatenate(numbers), np.concatenate(places)


def _repeated_in(numbers: Hashes, places: Places) -> Places:
    order = np.argsort(numbers)
    same = np.diff(numbers[order]) == 0
    repeated = np.zeros(len(order), dtype=bool)
    repeated[1:] |= same
    repeated[:-1] |= same
    return places[order[repeated]]
