"""Documents whose near-duplicates are planted with an exactly known Jaccard similarity."""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Planted:
    """Documents, and the similarity of every planted pair by position (the earlier document first)."""

    documents: list[tuple[str, str]]
    pairs: dict[tuple[int, int], float]


def shingle_set(text: str, n: int) -> set[tuple[str, ...]]:
    """Word n-grams of a text of plain lower-case words, the slow and obvious way."""
    words = text.split()
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def true_jaccard(one: str, other: str, n: int) -> float:
    """Jaccard similarity of two texts' word n-grams."""
    a, b = shingle_set(one, n), shingle_set(other, n)
    return len(a & b) / len(a | b)


def word(number: int) -> str:
    """A word of four letters or more, another for every number (no digits: some tools make all digits alike)."""
    letters = ""
    while number or len(letters) < 4:
        number, letter = divmod(number, 26)
        letters += chr(ord("a") + letter)
    return letters


def planted(originals: int, levels: list[float], words: int = 240, n: int = 5, seed: int = 0) -> Planted:
    """``originals`` random texts, each with one edited copy near one of the levels (in turn), in random order.

    A copy has evenly spread words replaced by words found nowhere else. Similarities are counted, not assumed.
    """
    rng = random.Random(seed)  # noqa: S311
    vocabulary = [word(i) for i in range(20_000)]
    texts: list[tuple[int, str]] = []
    for number in range(originals):
        text = rng.choices(vocabulary, k=words)
        level = levels[number % len(levels)]
        texts.append((number, " ".join(text)))
        texts.append((number, " ".join(_edited(text, level, n, number, rng))))
    rng.shuffle(texts)
    documents = [(f"doc{i}", text) for i, (_, text) in enumerate(texts)]
    places: dict[int, list[int]] = {}
    for place, (number, _) in enumerate(texts):
        places.setdefault(number, []).append(place)
    pairs = {(a, b): true_jaccard(texts[a][1], texts[b][1], n) for a, b in places.values()}
    return Planted(documents, pairs)


def _edited(text: list[str], level: float, n: int, mark: int, rng: random.Random) -> list[str]:
    """The text with as many words replaced as bring it nearest to a Jaccard similarity of ``level``."""
    shingles = len(text) - n + 1
    lost = shingles * (1 - level) / (1 + level)  # k shingles changed: (S - k) / (S + k)
    edits = max(round(lost / n), 1)
    step = len(text) / edits
    edited = list(text)
    for i in range(edits):
        edited[int(i * step + rng.random() * (step - 1))] = f"new{word(mark)}{word(i)}"
    return edited
