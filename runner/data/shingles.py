"""Words of a text as 64-bit numbers, and n-grams of words as sets of such numbers.

A word is a run of letters, digits and underscores of the lower-cased text (several words, if it has more than 2^18
characters); in scripts written without spaces (Han, Kana, Thai, Lao, Khmer, Burmese) every character is a word, since
a whole clause would be one otherwise. Punctuation is ignored, as in GPT-3's decontamination (arXiv:2005.14165,
appendix C).

A word's number is the polynomial of its characters' random numbers at an odd K, modulo 2^64, mixed. Differences of
prefix sums give it for all words of a text at once, in array operations only. An n-gram's number is the sum of its
words' numbers times odd constants, mixed. The numbers are the same in every process and on every machine, and two
n-grams of real text share one by chance about once in 2^64 pairs; text made to collide could.
"""

import functools
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

Hashes = np.ndarray[Any, np.dtype[np.uint64]]
Offsets = np.ndarray[Any, np.dtype[np.int64]]

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
_ALONE = re.compile(rf"[{_UNSPACED}]")
_BETWEEN = re.compile(r"\W")
_PLANES = 0x20000  # code points with an entry of their own: all letters of spaced scripts lie below
_MOST_AT_ONCE = 1 << 18  # characters: arrays of so many fit a core's cache
_MULTIPLIER = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: odd, with its bits well spread
_MODULUS = 1 << 64


def lowered(text: str) -> str:
    """The text in lower case, as long as before, so that places in it stay places in the text.

    Only the dotted capital I of Turkish grows in lower case (to an i and a combining dot): it becomes an i.
    """
    lower = text.lower()
    return lower if len(lower) == len(text) else text.replace("\u0130", "i").lower()


def word_places(text: str) -> Iterator[tuple[int, int]]:
    """Where each word of a text begins and ends."""
    at = 0
    for piece in _pieces(lowered(text)):
        for match in _WORD.finditer(piece):
            yield at + match.start(), at + match.end()
        at += len(piece)


def word_hashes(texts: Iterable[str]) -> tuple[Hashes, Offsets]:
    """Numbers of all words of all texts, one text after the other, and where each text begins (and the last ends)."""
    hashes: list[Hashes] = []
    counts: list[int] = []
    group: list[str] = []
    size = 0
    for text in texts:
        pieces = list(_pieces(lowered(text)))
        if size + len(pieces[0]) >= _MOST_AT_ONCE or len(pieces) > 1:
            _hash_group(group, hashes, counts)
            group, size = [], 0
        if len(pieces) == 1:
            group.append(pieces[0])
            size += len(pieces[0]) + 1
            continue
        own: list[int] = []
        for piece in pieces:
            _hash_group([piece], hashes, own)
        counts.append(sum(own))
    _hash_group(group, hashes, counts)
    flat = np.concatenate(hashes) if hashes else np.empty(0, np.uint64)
    return flat, np.concatenate([[0], np.cumsum(np.array(counts, dtype=np.int64))])


def _pieces(text: str) -> Iterator[str]:
    """A text in pieces of bounded size, cut between words where there is such a place."""
    at = 0
    while len(text) - at > _MOST_AT_ONCE:
        most = at + 2 * _MOST_AT_ONCE
        found = _BETWEEN.search(text, at + _MOST_AT_ONCE, most)
        end = found.start() if found else min(most, len(text))
        yield text[at:end]
        at = end
    if at == 0 or at < len(text):
        yield text[at:]


def _hash_group(texts: list[str], hashes: list[Hashes], counts: list[int]) -> None:
    """Append the numbers of the words of lower-cased texts, and how many words each text has."""
    if not texts:
        return
    joined = np.frombuffer("\n".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    kinds, values = _tables()
    low = np.minimum(joined, _PLANES)
    kind = kinds[low]
    number = values[low]
    if joined.max(initial=0) >= _PLANES:
        far = joined >= _PLANES
        kind[far] = np.where(joined[far] < 0x40000, 2, 0)
        number[far] = np.where(joined[far] < 0x40000, _random(joined[far].astype(np.uint64)), 0)
    in_run = kind == 1
    before, after = np.zeros_like(in_run), np.zeros_like(in_run)
    before[1:], after[:-1] = in_run[:-1], in_run[1:]
    alone = kind == 2
    starts = np.flatnonzero((in_run & ~before) | alone)
    ends = np.flatnonzero((in_run & ~after) | alone) + 1
    powers, inverses = _powers()
    number *= powers[: len(number)]
    sums = np.zeros(len(number) + 1, dtype=np.uint64)
    np.cumsum(number, out=sums[1:])
    hashes.append(_mixed((sums[ends] - sums[starts]) * inverses[starts]))
    bounds = np.cumsum([len(text) + 1 for text in texts])
    counts += np.diff(np.searchsorted(starts, bounds), prepend=0).tolist()


@functools.cache
def _tables() -> tuple[np.ndarray[Any, np.dtype[np.uint8]], Hashes]:
    """For every code point: 0 between words, 1 in a word, 2 a word alone; and a random number, 0 between words."""
    kinds = np.zeros(_PLANES + 1, dtype=np.uint8)
    for code in range(_PLANES):
        character = chr(code)
        if _WORD.match(character):
            kinds[code] = 2 if _ALONE.match(character) else 1
    values = _random(np.arange(_PLANES + 1, dtype=np.uint64))
    values[kinds == 0] = 0
    return kinds, values


@functools.cache
def _powers() -> tuple[Hashes, Hashes]:
    """Powers of K and of its inverse modulo 2^64, as many as there are characters in a group."""
    count = 2 * _MOST_AT_ONCE + 1  # the longest piece
    tables = []
    for base in (_MULTIPLIER, pow(_MULTIPLIER, -1, _MODULUS)):
        table = np.full(count, np.uint64(base), dtype=np.uint64)
        table[0] = 1
        tables.append(np.cumprod(table, dtype=np.uint64))
    return tables[0], tables[1]


def _random(codes: Hashes) -> Hashes:
    """A number that looks random for every code point."""
    values = (codes + np.uint64(1)) * np.uint64(_MULTIPLIER)
    return _mixed(_mixed(_mixed(values)))


def ngram_hashes(hashes: Hashes, offsets: Offsets, n: int) -> tuple[Hashes, Offsets]:
    """Numbers of all n-grams of words, in order, and where each text's begin; a text of fewer words has none."""
    lengths = np.maximum(np.diff(offsets) - n + 1, 0)
    starts = _ranges(offsets[:-1], lengths)
    total = np.zeros(len(starts), dtype=np.uint64)
    for place, factor in enumerate(_factors(n)):
        total += hashes[starts + place] * factor
    return _mixed(total), np.concatenate([[0], np.cumsum(lengths)])


def byte_ngram_hashes(data: np.ndarray[Any, np.dtype[np.uint8]], n: int) -> Hashes:
    """Numbers of all n-grams of up to 2^19 bytes, in order; polynomials as those of words."""
    powers, inverses = _powers()
    sums = np.zeros(len(data) + 1, dtype=np.uint64)
    np.cumsum(_byte_numbers()[data] * powers[: len(data)], out=sums[1:])
    return _mixed((sums[n:] - sums[:-n]) * inverses[: len(data) - n + 1])


@functools.cache
def _byte_numbers() -> Hashes:
    return _random(np.arange(256, dtype=np.uint64))


def shingle_sets(texts: list[str], n: int) -> tuple[Hashes, Offsets]:
    """Each text's distinct n-grams of words as sorted numbers, and where each text's begin.

    A text of fewer than n words is one shingle, all its words; a text without words has none.
    """
    hashes, offsets = word_hashes(texts)
    grams, ends = ngram_hashes(hashes, offsets, n)
    short = np.flatnonzero((np.diff(ends) == 0) & (np.diff(offsets) > 0))
    if len(short):
        whole = [_whole(hashes[offsets[i] : offsets[i + 1]]) for i in short]
        grams = np.insert(grams, ends[short], np.array(whole, dtype=np.uint64))
        lengths = np.diff(ends)
        lengths[short] = 1
        ends = np.concatenate([[0], np.cumsum(lengths)])
    return _distinct(grams, ends)


def _ranges(starts: Offsets, lengths: Offsets) -> Offsets:
    """Positions ``start, start + 1, …`` of every range, one range after the other."""
    before = np.concatenate([[0], np.cumsum(lengths)[:-1]]) if len(lengths) else lengths
    return np.arange(lengths.sum(), dtype=np.int64) + np.repeat(starts - before, lengths)


def _factors(n: int) -> list[np.uint64]:
    """Different odd factors for the words of an n-gram, so that their order matters."""
    return [np.uint64(pow(_MULTIPLIER, place + 1, _MODULUS)) for place in range(n)]


def _whole(hashes: Hashes) -> int:
    """Number of a text shorter than an n-gram; its length counts too."""
    total = sum(int(value) * int(factor) for value, factor in zip(hashes, _factors(len(hashes)), strict=True))
    return int(_mixed(np.array([(total + len(hashes)) % _MODULUS], dtype=np.uint64))[0])


def _mixed(values: Hashes) -> Hashes:
    """Values with every bit spread over all others (xor of shifts and products by an odd number)."""
    values ^= values >> np.uint64(31)
    values *= np.uint64(_MULTIPLIER)
    values ^= values >> np.uint64(29)
    return values


def _distinct(values: Hashes, offsets: Offsets) -> tuple[Hashes, Offsets]:
    """Values of each text sorted and without repeats."""
    for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        values[start:end].sort()
    fresh = np.ones(len(values), dtype=bool)
    fresh[1:] = values[1:] != values[:-1]
    fresh[offsets[:-1][offsets[:-1] < len(values)]] = True
    kept = np.concatenate([[0], np.cumsum(fresh)])
    return values[fresh], kept[offsets]
