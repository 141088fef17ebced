"""Gopher's filters (Rae et al. 2021, arXiv:2112.11446, appendix A.1.1 and table A1)."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, compress
from operator import not_
from typing import Any

from sixnd.runner.data.document import Document
from sixnd.runner.data.ngrams import NGrams
from sixnd.runner.data.stage import Kept, Removed, above, below
from sixnd.runner.data.words import described, words_of
from sixnd.specs.text_filters import GopherQuality, GopherRepetition

_HAS_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True)
class GopherQualityStage:
    """Documents that do not read like prose are removed."""

    chosen: GopherQuality
    name: str = "gopher-quality"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings and the word pattern."""
        return described(self.chosen.plain())

    def apply(self, document: Document) -> Kept | Removed:
        """The first rule that is broken, in the paper's order, removes the document."""
        words = words_of(document.text, self.chosen.words)
        checks = chain(self._lengths(words), self._symbols(document.text, words), self._vocabulary(words))
        return next(filter(None, checks), None) or Kept(document)

    def _lengths(self, words: list[str]) -> Iterator[Removed | None]:
        unlike = compress(words, map(not_, map(str.isalnum, words)))
        marks = [word for word in unlike if not any(map(str.isalnum, word))]
        count = len(words) - len(marks)
        yield below("too few words", count, max(self.chosen.min_words, 1))
        yield above("too many words", count, self.chosen.max_words)
        mean = (sum(map(len, words)) - sum(map(len, marks))) / count
        yield below("words too short", mean, self.chosen.min_mean_word_length)
        yield above("words too long", mean, self.chosen.max_mean_word_length)

    def _symbols(self, text: str, words: list[str]) -> Iterator[Removed | None]:
        most = self.chosen.max_symbols_per_word
        yield above("hash marks", text.count("#") / len(words), most)
        ellipses = text.count("...") + text.count("…")
        yield above("ellipses", ellipses / len(words), most)
        lines = list(map(str.strip, text.splitlines()))
        bullets = sum(line.startswith(("•", "-")) for line in lines)
        yield above("bullet lines", bullets / len(lines), self.chosen.max_bullet_lines)
        if ellipses:
            ellipses = sum(line.endswith(("...", "…")) for line in lines)
        yield above("lines that end in an ellipsis", ellipses / len(lines), self.chosen.max_ellipsis_lines)

    def _vocabulary(self, words: list[str]) -> Iterator[Removed | None]:
        of_letters = list(map(str.isalpha, words))
        others = compress(words, map(not_, of_letters))
        with_letters = sum(of_letters) + sum(1 for word in others if _HAS_LETTER.search(word))
        yield below("words without letters", with_letters / len(words), self.chosen.min_alphabetic_words)
        found = len(set(self.chosen.stop_words).intersection(words))
        yield below("too few stop words", found, self.chosen.min_stop_words)


@dataclass(frozen=True)
class GopherRepetitionStage:
    """Documents that repeat themselves are removed."""

    chosen: GopherRepetition
    name: str = "gopher-repetition"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings and the word pattern."""
        return described(self.chosen.plain())

    def apply(self, document: Document) -> Kept | Removed:
        """The first rule that is broken removes the document; an empty one has nothing to repeat and goes."""
        text = document.text
        if not text.strip():
            return Removed("empty")
        checks = chain(self._pieces(text), self._ngrams(text))
        return next(filter(None, checks), None) or Kept(document)

    def _pieces(self, text: str) -> Iterator[Removed | None]:
        chosen = self.chosen
        paragraphs = paragraphs_of(text.strip())
        repeated, characters = repeats(paragraphs)
        yield above("repeated paragraphs", repeated / len(paragraphs), chosen.max_duplicate_paragraphs)
        share = characters / len(text)
        yield above("characters in repeated paragraphs", share, chosen.max_duplicate_paragraph_characters)
        lines = lines_of(text)
        repeated, characters = repeats(lines)
        yield above("repeated lines", repeated / len(lines), chosen.max_duplicate_lines)
        yield above("characters in repeated lines", characters / len(text), chosen.max_duplicate_line_characters)

    def _ngrams(self, text: str) -> Iterator[Removed | None]:
        ngrams = NGrams(words_of(text, self.chosen.words))
        for n, most in self.chosen.max_top_ngram_characters.items():
            yield above(f"most frequent {n}-gram", ngrams.top_characters(n) / len(text), most)
        limits = self.chosen.max_duplicate_ngram_characters
        if not limits or ngrams.characters_in_repeats(min(limits)) <= min(limits.values()) * len(text):
            return  # no n can be above its limit
        for n, most in limits.items():
            yield above(f"repeated {n}-grams", ngrams.repeated_characters(n) / len(text), most)


def paragraphs_of(text: str) -> list[str]:
    r"""The pieces between runs of two or more line ends, as ``re.split(r"\n{2,}", text)`` gives them, but faster.

    ``text`` begins and ends with something else.
    """
    return [whole for piece in text.split("\n\n") if (whole := piece.lstrip("\n"))]


def lines_of(text: str) -> list[str]:
    r"""The pieces between runs of line ends, as ``re.split(r"\n+", text)`` gives them, but faster."""
    lines = list(filter(None, text.split("\n")))
    if text[:1] in ("\n", ""):
        lines.insert(0, "")
    return [*lines, ""] if text.endswith("\n") else lines


def repeats(pieces: list[str]) -> tuple[int, int]:
    """How many pieces were there before, and their characters."""
    counts = Counter(pieces)
    if len(counts) == len(pieces):
        return 0, 0
    return len(pieces) - len(counts), sum(len(piece) * (count - 1) for piece, count in counts.items() if count > 1)
