"""Sequences to be scored: what goes in, what is to be predicted, and which of it counts. NumPy only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sixnd.runner.evaluation.items import Item
from sixnd.runner.evaluation.text import HeldOut
from sixnd.runner.tokenizers.text_models import END_OF_DOCUMENT, PADDING

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Rows:
    """Sequences of one length: ``tokens``, ``labels`` (int64) and ``mask`` (bool), each ``[rows, length]``."""

    tokens: Array
    labels: Array
    mask: Array

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def length(self) -> int:
        """Tokens of a row."""
        return int(self.tokens.shape[1])


def held_out_rows(texts: Sequence[HeldOut], length: int) -> tuple[Rows, list[slice]]:
    """Every token of each text predicted once, from what stands before it in its row; and each text's rows."""
    counts = [-(-len(text.tokens) // length) for text in texts]
    rows, places, first = _empty(sum(counts), length), [], 0
    for text, count in zip(texts, counts, strict=True):
        size, place = len(text.tokens), slice(first, first + count)
        rows.tokens[place].reshape(-1)[:size] = np.concatenate([[END_OF_DOCUMENT], text.tokens[:-1]])
        rows.labels[place].reshape(-1)[:size] = text.tokens
        rows.mask[place].reshape(-1)[:size] = True
        places.append(place)
        first += count
    return rows, places


def item_rows(items: Sequence[Item], multiple: int) -> Rows:
    """One row a choice, item after item; as long as the longest, rounded up to a ``multiple``."""
    sequences = [(item, item.sequence(choice)) for item in items for choice in range(len(item.choices))]
    longest = max(len(sequence) - 1 for _, sequence in sequences)
    rows = _empty(len(sequences), -(-longest // multiple) * multiple)
    for row, (item, sequence) in enumerate(sequences):
        size = len(sequence) - 1
        rows.tokens[row, :size], rows.labels[row, :size] = sequence[:-1], sequence[1:]
        rows.mask[row, len(item.prompt) : size] = True
    return rows


def _empty(rows: int, length: int) -> Rows:
    padding = np.full((rows, length), PADDING, np.int64)
    return Rows(padding, padding.copy(), np.zeros((rows, length), bool))
