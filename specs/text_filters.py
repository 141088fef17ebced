"""Stages of text preparation as data: the settings of each kind, and the catalog's filters and profiles."""

from typing import Annotated, Literal

from pydantic import Field

from sixnd.specs.document import Document

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
WordSplit = Literal["regex-words", "whitespace", "regex-words-and-marks"]
"""How a text is split into words: it decides half of Gopher's verdicts, so it is a setting and part of the digest."""
WORD_PATTERNS: dict[str, str] = {
    "regex-words": r"\w+(?:['’]\w+)*",
    "whitespace": r"\S+",
    "regex-words-and-marks": r"\w+(?:['’]\w+)*|[^\w\s]",
}
"""Regular expressions of the splits. `regex-words` leaves punctuation out, `regex-words-and-marks` counts each mark as
a word, as spaCy's rules do. Scripts written without spaces come out as one word a clause: use no word filter there."""


class Normalise(Document):
    """Unicode form, line ends and control characters made one; a text with nothing left is removed."""

    stage: Literal["normalise"] = "normalise"
    unicode: Literal["NFC", "NFKC", "as-is"]
    """Unicode normalisation form (UAX #15)."""
    line_ends: bool
    """Whether CR LF and CR become LF."""
    control_characters: bool
    """Whether control characters other than tab and line feed, and byte order marks, are taken out."""


class LanguageFilter(Document):
    """The language of a text by fastText's lid.176; other languages than those named are removed."""

    stage: Literal["language"] = "language"
    keep: list[str]
    """ISO 639 codes to keep; empty keeps all and only records the language."""
    min_confidence: Share
    """Least confidence of the language that is identified."""


class GopherQuality(Document):
    """Length, word length, symbols, bullets, letters and stop words."""

    stage: Literal["gopher-quality"] = "gopher-quality"
    words: WordSplit
    min_words: Count
    """Words that hold at least one letter or digit."""
    max_words: Count
    min_mean_word_length: float
    max_mean_word_length: float
    max_symbols_per_word: float
    """Hash marks, and ellipses, per word."""
    max_bullet_lines: Share
    max_ellipsis_lines: Share
    min_alphabetic_words: Share
    stop_words: list[str]
    min_stop_words: Count
    """How many different ones of `stop_words` must be there."""


class GopherRepetition(Document):
    """Lines, paragraphs and n-grams that repeat, as shares of the text."""

    stage: Literal["gopher-repetition"] = "gopher-repetition"
    words: WordSplit
    max_duplicate_lines: Share
    max_duplicate_paragraphs: Share
    max_duplicate_line_characters: Share
    max_duplicate_paragraph_characters: Share
    max_top_ngram_characters: dict[Annotated[int, Field(ge=1)], Share]
    """By n: most that all occurrences of the most frequent n-gram may take of the characters."""
    max_duplicate_ngram_characters: dict[Annotated[int, Field(ge=1)], Share]
    """By n: most that n-grams seen before may take of the characters."""


class C4(Document):
    """Lines that are not sentences are cut out; pages with too few sentences left are removed."""

    stage: Literal["c4"] = "c4"
    end_marks: list[str]
    """A line is kept if it ends in one of them and in no ellipsis; with an empty list, however it ends."""
    min_line_words: Count
    """Words between spaces."""
    max_word_characters: Count
    min_sentences: Count
    """A sentence ends at a run of `.`, `!` or `?` before a space or the line's end."""
    citations: str
    """Regular expression of what is taken out of lines."""
    line_phrases: list[str]
    """Lines with one of these (in lower case) are cut out."""
    page_phrases: list[str]
    """Pages with one of these (in lower case) in a line that would be kept are removed."""


class FineWebQuality(Document):
    """Lines that end in no punctuation, short lines, repeated lines, and lists."""

    stage: Literal["fineweb-quality"] = "fineweb-quality"
    words: WordSplit
    min_punctuated_lines: Share
    end_marks: str
    max_short_lines: Share
    short_line_characters: Count
    max_duplicate_line_characters: Share
    max_newlines_per_word: float


class Perplexity(Document):
    """Perplexity under an n-gram model of text you hold to be good: head, middle or tail by two cut-offs."""

    stage: Literal["perplexity"] = "perplexity"
    words: WordSplit
    """The model must be trained on lower-case words split the same way."""
    model: str = ""
    """KenLM model or ARPA file, relative to the spec."""
    head_below: float = 0.0
    """Perplexity below which a document is `head`: a percentile of your own text's."""
    tail_from: float = 0.0
    """Perplexity from which it is `tail`."""
    keep: list[Literal["head", "middle", "tail"]]


class ScrubPii(Document):
    """E-mail addresses and public IP addresses are replaced by placeholders."""

    stage: Literal["scrub-pii"] = "scrub-pii"
    email: str
    """What stands for an e-mail address."""
    ip: str
    """What stands for an IPv4 or IPv6 address that is public; private and reserved ones stay."""


StageSettings = Annotated[
    Normalise | LanguageFilter | GopherQuality | GopherRepetition | C4 | FineWebQuality | Perplexity | ScrubPii,
    Field(discriminator="stage"),
]
"""Settings of one stage, complete: nothing is looked up any more."""


class TextFilter(Document):
    """A filter of the catalog: a stage with published settings."""

    settings: StageSettings
    source: str
    """Paper, section, and where the code that is used differs from it."""


class TextProfile(Document):
    """Stages for one kind of text, in order."""

    stages: list[str]
    """Names of the catalog of text filters."""
    source: str
    """Why these, and where they come from."""
