"""Tasks that need no text: arithmetic, copying, induction and brackets, drawn from a seed."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sixnd.runner.evaluation.items import Item
from sixnd.runner.tokenizers.text_models import TextModel

_COPIED, _PATTERN, _SHOTS = 8, 8, 3
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_SYMBOLS = (6, 14)
CHOSEN = "the likeliest of the choices is the right one"
_TRIES = 50
"""Draws an item may take until it fits the length."""


@dataclass(frozen=True)
class Drawn:
    """One task's items, and what they are right by chance."""

    items: list[Item]
    chance: float
    basis: str
    discrete: str = "answered exactly, token by token, by the likeliest tokens"


@dataclass
class Maker:
    """Makes items with one tokenizer, each at most ``longest`` tokens."""

    model: TextModel
    pool: Sequence[int]
    """Ids of tokens that occur in the held-out text and are whole text."""
    longest: int
    random: random.Random

    def item(self, task: str, prompt: str, choices: Sequence[str], answer: int, source: str = "") -> Item | None:
        """An item from texts; a prompt that is too long loses its beginning, continuations stay whole or it is none."""
        ids, continuations = self._encoded(prompt, choices)
        room = self.longest - max(map(len, continuations))
        if room < 1 or not all(continuations) or not ids:
            return None
        return Item(task, source, ids[-room:], continuations, answer, len(choices[answer].encode()))

    def _encoded(self, prompt: str, choices: Sequence[str]) -> tuple[list[int], list[list[int]]]:
        """Prompt and continuations as they are encoded together, or apart where tokens reach across the border."""
        start, *wholes = (
            [int(i) for i in ids] for ids in self.model.encode([prompt, *(prompt + choice for choice in choices)])
        )
        alone = self.model.encode(list(choices))
        return start, [
            whole[len(start) :] if whole[: len(start)] == start else [int(i) for i in ids]
            for whole, ids in zip(wholes, alone, strict=True)
        ]

    def bytes_of(self, ids: Sequence[int]) -> int:
        """Of their text in UTF-8."""
        return len(self.model.decode(ids).encode())


def arithmetic(maker: Maker, count: int) -> Drawn:
    """Sums of two numbers of one, two or three digits, a third each, behind three examples of the same kind."""
    found = []
    for number in range(count):
        digits = 1 + number % 3
        a, b = _number(maker, digits), _number(maker, digits)
        shots = [(_number(maker, digits), _number(maker, digits)) for _ in range(_SHOTS)]
        shown = "".join(f"{x}+{y}={x + y}\n" for x, y in shots if x + y != a + b)
        found.append(maker.item("arithmetic", f"{shown}{a}+{b}=", [f"{a + b}\n"], 0))
    items = [item for item in found if item is not None]
    return Drawn(items, constant_chance(items), "the share of the most frequent sum")


def _number(maker: Maker, digits: int) -> int:
    return maker.random.randrange(10 ** (digits - 1) if digits > 1 else 0, 10**digits)


def copying(maker: Maker, count: int) -> Drawn:
    """Eight random tokens, a new line, and the same eight again, all of which are to be predicted."""
    separator = [int(i) for i in maker.model.encode(["\n"])[0]]

    def one() -> Item:
        ids = maker.random.choices(maker.pool, k=_COPIED)
        return Item("copying", "", [*ids, *separator], [ids], 0, maker.bytes_of(ids))

    items = _fitting(maker, count, one)
    chance = (1 / len(maker.pool)) ** _COPIED
    return Drawn(items, chance, f"{_COPIED} draws out of the {len(maker.pool):,} tokens used")


def induction(maker: Maker, count: int) -> Drawn:
    """A random pattern of eight tokens, begun again: the next token is the one that followed before."""

    def one() -> Item:
        pattern = maker.random.sample(list(maker.pool), k=_PATTERN)
        again = maker.random.randrange(1, _PATTERN)
        answer = [pattern[again]]
        return Item("induction", "", [*pattern, *pattern[:again]], [answer], 0, maker.bytes_of(answer))

    items = _fitting(maker, count, one)
    return Drawn(items, 1 / _PATTERN, f"one of the {_PATTERN} tokens of the pattern")


def brackets(maker: Maker, count: int) -> Drawn:
    """A beginning of nested brackets of three kinds: which one closes next? Each kind is right equally often."""
    closers, number = [f" {closer}" for closer in _PAIRS.values()], 0
    found: list[Item] = []
    for _ in range(_TRIES * count):
        if len(found) == count:
            break
        symbols, kind = _nested(maker.random), number % len(closers)
        if symbols is None or list(_PAIRS).index(symbols[1]) != kind:
            continue
        item = maker.item("brackets", " ".join(symbols[0]), closers, kind)
        whole = maker.model.encode([" ".join(symbols[0])])[0]
        if item is not None and len(item.prompt) == len(whole):
            found.append(item)
            number += 1
    items = found[: len(found) // len(closers) * len(closers)] or found
    return Drawn(items, 1 / len(closers), f"one of {len(closers)} closing brackets, each right equally often", CHOSEN)


def _nested(draw: random.Random) -> tuple[list[str], str] | None:
    """Symbols of a beginning, and the bracket that is open last; none where nothing is open."""
    symbols: list[str] = []
    opened: list[str] = []
    for _ in range(draw.randint(*_SYMBOLS)):
        if opened and draw.random() < 0.45:
            symbols.append(_PAIRS[opened.pop()])
        else:
            opened.append(draw.choice(list(_PAIRS)))
            symbols.append(opened[-1])
    return (symbols, opened[-1]) if opened else None


def _fitting(maker: Maker, count: int, one: Callable[[], Item]) -> list[Item]:
    if len(maker.pool) < _PATTERN:
        return []
    drawn = [one() for _ in range(count)]
    return [item for item in drawn if item.tokens <= maker.longest and item.answer_bytes]


def constant_chance(items: Sequence[Item]) -> float:
    """Share of items that the best answer which never changes gets right."""
    answers = [tuple(item.choices[item.answer]) for item in items]
    return max((answers.count(answer) for answer in set(answers)), default=0) / max(len(answers), 1)
