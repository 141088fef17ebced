"""Splitting text into words by a named regular expression."""

import re
from functools import cache, lru_cache
from typing import Any

from sixnd.specs.text_filters import WORD_PATTERNS, WordSplit


@cache
def _pattern(split: WordSplit) -> re.Pattern[str]:
    return re.compile(WORD_PATTERNS[split])


@lru_cache(maxsize=2)
def words_of(text: str, split: WordSplit) -> list[str]:
    """Words of a text, in order. The last texts are remembered, as several filters ask for the same one's."""
    return _pattern(split).findall(text)


def described(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings with the regular expression of their split, so that a digest changes when the expression does."""
    return settings | {"word_pattern": WORD_PATTERNS[settings["words"]]}
