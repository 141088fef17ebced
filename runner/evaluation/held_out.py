"""Tasks made of held-out text: the last word of sentences, and which continuation belongs to a passage."""

import itertools
import random
import re
from collections.abc import Iterator, Sequence

from sixnd.runner.evaluation.generated import CHOSEN, Drawn, Maker, constant_chance
from sixnd.runner.evaluation.items import Item

Texts = dict[str, list[str]]
"""Documents of each source."""

_LAST_WORD = re.compile(r"(?<=\s)([^\W\d_]{3,})(?=[.!?](?:\s|$))")
_WORD = re.compile(r"\S+")
_CONTEXT_CHARACTERS, _CONTEXT_WORDS = 400, 8
_PASSAGE_WORDS, _NEXT_WORDS, _CHOICES = 40, 8, 4
_CANDIDATES = 20
"""Places looked at for each item, so that items come from all over the text."""


def cloze(maker: Maker, texts: Texts, count: int) -> Drawn:
    """The last word of a sentence, given up to 400 characters before it (as LAMBADA: Paperno et al. 2016)."""
    places = {source: _last_words(documents, _CANDIDATES * count) for source, documents in texts.items()}
    items = list(itertools.islice(_cloze_items(maker, _dealt(places, maker.random)), count))
    return Drawn(items, constant_chance(items), "the share of the most frequent word")


def _cloze_items(maker: Maker, places: Iterator[tuple[str, tuple[str, str]]]) -> Iterator[Item]:
    for source, (before, word) in places:
        item = maker.item("cloze", before, [f" {word}"], 0, source)
        if item is not None:
            yield item


def _last_words(documents: Sequence[str], most: int) -> list[tuple[str, str]]:
    """What stands before the last word of a sentence, and the word."""
    found = []
    for text in documents:
        for match in _LAST_WORD.finditer(text):
            before = text[max(0, match.start() - _CONTEXT_CHARACTERS) : match.start()].rstrip()
            if len(before.split()) >= _CONTEXT_WORDS:
                found.append((before.split(maxsplit=1)[1], match[1]))
            if len(found) == most:
                return found
    return found


def choice(maker: Maker, texts: Texts, count: int) -> Drawn:
    """Which of four continuations of eight words follows a passage; the others follow other passages of its source."""
    places = {source: _passages(documents, _CANDIDATES * count) for source, documents in texts.items()}
    items = list(itertools.islice(_choice_items(maker, places), count))
    return Drawn(items, 1 / _CHOICES, f"one of {_CHOICES}, in random order", CHOSEN)


def _choice_items(maker: Maker, places: dict[str, list[tuple[str, str]]]) -> Iterator[Item]:
    for source, (passage, following) in _dealt(places, maker.random):
        others = sorted({other for _, other in places[source]} - {following})
        if len(others) < _CHOICES - 1:
            continue
        answer = maker.random.randrange(_CHOICES)
        choices = maker.random.sample(others, _CHOICES - 1)
        choices.insert(answer, following)
        item = maker.item("choice", passage, choices, answer, source)
        if item is not None:
            yield item


def _passages(documents: Sequence[str], most: int) -> list[tuple[str, str]]:
    """Passages of forty words, or what is there, and the eight words that follow them."""
    found = []
    for text in documents:
        words = list(itertools.islice(_WORD.finditer(text), most * _PASSAGE_WORDS))
        step = min(_PASSAGE_WORDS, len(words) - _NEXT_WORDS)
        if step < _CONTEXT_WORDS:
            continue
        for first in range(0, len(words) - step - _NEXT_WORDS + 1, step + _NEXT_WORDS):
            middle, last = words[first + step - 1].end(), words[first + step + _NEXT_WORDS - 1].end()
            found.append((text[words[first].start() : middle], text[middle:last]))
            if len(found) == most:
                return found
    return found


def _dealt(places: dict[str, list[tuple[str, str]]], draw: random.Random) -> Iterator[tuple[str, tuple[str, str]]]:
    """Places of all sources in turn, each source's in random order."""
    shuffled = {source: draw.sample(found, len(found)) for source, found in sorted(places.items())}
    for row in itertools.zip_longest(*shuffled.values()):
        for source, place in zip(shuffled, row, strict=True):
            if place is not None:
                yield source, place
