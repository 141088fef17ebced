"""Filters of C4 (Raffel et al. 2020, arXiv:1910.10683) and FineWeb (Penedo et al. 2024, arXiv:2406.17557)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

from sixnd.runner.data.document import Document
from sixnd.runner.data.gopher import repeats
from sixnd.runner.data.stage import Kept, Removed, above, below
from sixnd.runner.data.words import described, words_of
from sixnd.specs.text_filters import C4, FineWebQuality

_SENTENCE_END = re.compile(r"[.!?]+(?=[\s\"']|$)")


@dataclass(frozen=True)
class C4Stage:
    """Lines that are no sentences are cut; pages of code, of placeholder text, and of few sentences are removed."""

    chosen: C4
    name: str = "c4"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings and the expression that ends a sentence."""
        return self.chosen.plain() | {"sentence_end": _SENTENCE_END.pattern}

    def apply(self, document: Document) -> Kept | Removed:
        """The document with the lines that are left."""
        lines = document.text.splitlines()
        kept: list[str] = []
        sentences = 0
        present = self._phrases_in(document.text)
        for line in filter(self._has_no_long_word, map(str.strip, lines)):
            if len(line.split()) < self.chosen.min_line_words:
                continue
            uncited = self._citations.sub("", line) if "[" in line else line
            if not self._ends_a_sentence(uncited):
                continue
            # a phrase that the text has not can only come of taking a citation out
            line_phrases, page_phrases = present if uncited == line else self._all_phrases
            if line_phrases or page_phrases:
                lowered = uncited.lower()
                if any(phrase in lowered for phrase in line_phrases):
                    continue
                for phrase in page_phrases:
                    if phrase in lowered:
                        return Removed(f"phrase '{phrase}'")
            kept.append(uncited)
            if sentences < self.chosen.min_sentences:
                sentences += sentences_of(uncited)
        if sentences < self.chosen.min_sentences:
            return below("too few sentences", sentences, self.chosen.min_sentences) or Kept(document)
        edits = {"lines cut": len(lines) - len(kept)} if len(kept) < len(lines) else {}
        return Kept(replace(document, text="\n".join(kept).strip()), edits)

    @property
    def _all_phrases(self) -> tuple[list[str], list[str]]:
        return self.chosen.line_phrases, self.chosen.page_phrases

    def _phrases_in(self, text: str) -> tuple[list[str], list[str]]:
        lowered = text.lower()
        line, page = self._all_phrases
        return [phrase for phrase in line if phrase in lowered], [phrase for phrase in page if phrase in lowered]

    def _has_no_long_word(self, line: str) -> bool:
        most = self.chosen.max_word_characters
        return len(line) <= most or all(len(word) <= most for word in line.split())

    @cached_property
    def _citations(self) -> re.Pattern[str]:
        return re.compile(self.chosen.citations)

    @cached_property
    def _end_marks(self) -> tuple[str, ...]:
        return tuple(self.chosen.end_marks)

    def _ends_a_sentence(self, line: str) -> bool:
        return not self._end_marks or (line.endswith(self._end_marks) and not line.endswith("..."))


def sentences_of(line: str) -> int:
    """Sentences of a line: one for each end mark, and one more where text follows the last."""
    ends = [match.end() for match in _SENTENCE_END.finditer(line)]
    return len(ends) + (not ends or bool(line[ends[-1] :].strip("\"' ")))


@dataclass(frozen=True)
class FineWebQualityStage:
    """Menus, lists and pages of repeated lines are removed."""

    chosen: FineWebQuality
    name: str = "fineweb-quality"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings and the word pattern."""
        return described(self.chosen.plain())

    def apply(self, document: Document) -> Kept | Removed:
        """The first rule that is broken removes the document."""
        lines = [line for line in document.text.split("\n") if line.strip()]
        if not lines:
            return Removed("empty")
        checks = chain(self._lines(document.text, lines), self._lists(document.text))
        return next(filter(None, checks), None) or Kept(document)

    @cached_property
    def _end_marks(self) -> frozenset[str]:
        return frozenset(self.chosen.end_marks)

    def _lines(self, text: str, lines: list[str]) -> Iterator[Removed | None]:
        punctuated = sum(line[-1] in self._end_marks for line in lines)
        yield below("lines without an end mark", punctuated / len(lines), self.chosen.min_punctuated_lines)
        short = sum(len(line) <= self.chosen.short_line_characters for line in lines)
        yield above("short lines", short / len(lines), self.chosen.max_short_lines)
        share = repeats(lines)[1] / (len(text) - text.count("\n"))
        yield above("characters in repeated lines", share, self.chosen.max_duplicate_line_characters)

    def _lists(self, text: str) -> Iterator[Removed | None]:
        words = len(words_of(text, self.chosen.words))
        if not words:
            yield Removed("no words")
            return
        yield above("newlines per word", text.count("\n") / words, self.chosen.max_newlines_per_word)
