"""Repeated word n-grams of one text, by numbers instead of strings.

Only n-grams that occur twice are followed: one can repeat only where the shorter ones at its start and one word on do.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class _Repeated:
    """Where n-grams stand that occur more than once, in order; equal n-grams have equal numbers from 0."""

    positions: Array
    numbers: Array
    counts: Array
    """Occurrences by number; 1 for numbers that are not followed."""


class NGrams:
    """N-grams of a list of words; those of each n are found once, from those of n-1."""

    def __init__(self, words: list[str]) -> None:
        number = {word: i for i, word in enumerate(dict.fromkeys(words))}
        self._words = np.fromiter(map(number.__getitem__, words), np.int64, len(words))
        self._vocabulary = len(number)
        self._end = np.zeros(len(words) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, words), np.int64, len(words)), out=self._end[1:])
        self._known = [self._repeated(np.arange(len(words)), self._words)]

    def top_characters(self, n: int) -> int:
        """Characters, spaces between the words among them, of all occurrences of the most frequent n-gram.

        Of several that are as frequent, the one that comes first counts. Needs a word at least.
        """
        if len(self._words) < n:
            return 0
        found = self._of(n)
        if not len(found.positions):
            return self._length(0, n) + n - 1
        counts = found.counts[found.numbers]
        first = int(np.argmax(counts))
        return int(counts[first]) * (self._length(int(found.positions[first]), n) + n - 1)

    def repeated_characters(self, n: int) -> int:
        """Characters of n-grams that stood before; reading goes on behind each one that did.

        So no character counts twice, though n-grams overlap.
        """
        found = self._of(n)
        seen: set[int] = set()
        total = free_from = 0
        for position, ngram in zip(found.positions.tolist(), found.numbers.tolist(), strict=True):
            if position < free_from:
                continue
            if ngram in seen:
                total += self._length(position, n)
                free_from = position + n
            else:
                seen.add(ngram)
        return total

    def characters_in_repeats(self, n: int) -> int:
        """Characters of all words that stand in some n-gram which occurs more than once.

        What `repeated_characters` counts is never more than this, neither for this n nor for a larger one, since an
        n-gram can repeat only where the shorter ones in it do.
        """
        positions = self._of(n).positions
        bounds = np.zeros(len(self._words) + 1, np.int64)
        np.add.at(bounds, positions, 1)
        np.subtract.at(bounds, positions + n, 1)
        return int(np.diff(self._end)[np.cumsum(bounds[:-1]) > 0].sum())

    def _length(self, position: int, n: int) -> int:
        return int(self._end[position + n] - self._end[position])

    def _of(self, n: int) -> _Repeated:
        while len(self._known) < n:
            shorter = self._known[-1]
            starts = np.flatnonzero(np.diff(shorter.positions) == 1)
            positions = shorter.positions[starts]
            last_words = self._words[positions + len(self._known)]
            pairs = shorter.numbers[starts] * self._vocabulary + last_words
            self._known.append(self._repeated(positions, np.unique(pairs, return_inverse=True)[1]))
        return self._known[n - 1]

    @staticmethod
    def _repeated(positions: Array, numbers: Array) -> _Repeated:
        counts = np.bincount(numbers, minlength=1)
        often = counts[numbers] > 1
        return _Repeated(positions[often], numbers[often], counts)
