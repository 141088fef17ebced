"""How much of the held-out text stands in the training text too: a loss on such text falls faster than any law says.

Passages of 24 tokens are compared by their hashes, exactly but for one in 2^64. Of each part the first 20M tokens are
looked through.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from sixnd.runner.deal import Dealt, Part
from sixnd.runner.indexed_reader import Array, IndexedReader

PASSAGE_TOKENS = 24
_LOOKED_THROUGH = 20_000_000
_BASE = np.uint64(0x9E3779B97F4A7C15)
"""Odd, so that no token's part of a hash is lost."""
_FILTER_BITS = 22
"""Of a hash that are looked up before the whole of it is searched for."""


def repeated_shares(dealt: Mapping[str, Dealt]) -> dict[str, float]:
    """Of each source, the share of its held-out passages that stand in the training text of any."""
    own = {name: _joined(_hashes(parts.validation)) for name, parts in dealt.items()}
    known = np.unique(np.concatenate(list(own.values())))
    found = np.zeros(len(known), dtype=bool)
    for train in _once(part for parts in dealt.values() for part in parts.parts[1:]):
        _mark(known, found, train)
    return {name: _share(found[np.searchsorted(known, each)]) for name, each in own.items()}


def _share(found: Array) -> float:
    return float(found.mean()) if found.size else 0.0


def _once(parts: Iterator[Part]) -> list[Part]:
    return list({part.prefix: part for part in parts}.values())


def _mark(known: Array, found: Array, train: Part) -> None:
    """Mark those of the known hashes (sorted) that a part has."""
    shift = np.uint64(64 - _FILTER_BITS)
    likely = np.zeros(1 << _FILTER_BITS, dtype=bool)
    likely[known >> shift] = True
    for hashes in _hashes(train):
        candidates = hashes[likely[hashes >> shift]]
        places = np.minimum(np.searchsorted(known, candidates), len(known) - 1)
        found[places[known[places] == candidates]] = True


def _hashes(part: Part) -> Iterator[Array]:
    """Of every passage, some documents at a time; passages that reach over two such batches are left out."""
    looked = 0
    for tokens, _lengths in IndexedReader(part.prefix).batches(0, part.documents):
        if looked >= _LOOKED_THROUGH:
            return
        looked += len(tokens)
        if len(tokens) >= PASSAGE_TOKENS:
            yield passage_hashes(tokens)


def passage_hashes(tokens: Array) -> Array:
    """The hash of each 24 tokens: polynomials modulo 2^64, doubled and joined, and mixed so that all bits tell."""
    h, length, power = tokens.astype(np.uint64) + np.uint64(1), 1, _BASE
    with np.errstate(over="ignore"):
        while length < PASSAGE_TOKENS // 3:
            h, length, power = h[:-length] * power + h[length:], 2 * length, power * power
        thirds = [h[place : len(h) - 2 * length + place] for place in (0, length, 2 * length)]
        joined = (thirds[0] * power + thirds[1]) * power + thirds[2]
        mixed: Array = (joined ^ (joined >> np.uint64(31))) * _BASE
    return mixed


def _joined(hashes: Iterator[Array]) -> Array:
    found: Sequence[Array] = list(hashes)
    return np.concatenate(found) if found else np.empty(0, np.uint64)
