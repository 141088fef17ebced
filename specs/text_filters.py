"""Stages of text preparation as data: the settings of each kind, and the catalog's filters and profiles."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from sixnd.specs.document import Document
from sixnd.specs.errors import SixndError

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


def _number(key: object) -> object:
    """A key of plain data, as in a plan's file, is text."""
    return int(key) if isinstance(key, str) and key.isdecimal() else key


NgramWords = Annotated[int, BeforeValidator(_number), Field(ge=1)]
"""Words in an n-gram, as a key."""
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
    """What counts as a word."""
    min_words: Count
    """Words that hold at least one letter or digit."""
    max_words: Count
    """Most words of a document."""
    min_mean_word_length: float
    """Least characters a word on average."""
    max_mean_word_length: float
    """Most characters a word on average."""
    max_symbols_per_word: float
    """Hash marks, and ellipses, per word."""
    max_bullet_lines: Share
    """Largest share of lines that begin with a bullet."""
    max_ellipsis_lines: Share
    """Largest share of lines that end with an ellipsis."""
    min_alphabetic_words: Share
    """Least share of words with a letter."""
    stop_words: list[str]
    """Words of which a document of the language has some."""
    min_stop_words: Count
    """How many different ones of `stop_words` must be there."""


class GopherRepetition(Document):
    """Lines, paragraphs and n-grams that repeat, as shares of the text."""

    stage: Literal["gopher-repetition"] = "gopher-repetition"
    words: WordSplit
    """What counts as a word."""
    max_duplicate_lines: Share
    """Largest share of lines that repeat another."""
    max_duplicate_paragraphs: Share
    """Largest share of paragraphs that repeat another."""
    max_duplicate_line_characters: Share
    """Largest share of characters in lines that repeat another."""
    max_duplicate_paragraph_characters: Share
    """Largest share of characters in paragraphs that repeat another."""
    max_top_ngram_characters: dict[NgramWords, Share]
    """By n: most that all occurrences of the most frequent n-gram may take of the characters."""
    max_duplicate_ngram_characters: dict[NgramWords, Share]
    """By n: most that n-grams seen before may take of the characters."""


class C4(Document):
    """Lines that are not sentences are cut out; pages with too few sentences left are removed."""

    stage: Literal["c4"] = "c4"
    end_marks: list[str]
    """A line is kept if it ends in one of them and in no ellipsis; with an empty list, however it ends."""
    min_line_words: Count
    """Words between spaces."""
    max_word_characters: Count
    """A line with a longer word goes."""
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
    """What counts as a word."""
    min_punctuated_lines: Share
    """Least share of lines that end with one of `end_marks`."""
    end_marks: str
    """Marks that end a sentence."""
    max_short_lines: Share
    """Largest share of short lines."""
    short_line_characters: Count
    """A line of at most so many characters is short."""
    max_duplicate_line_characters: Share
    """Largest share of characters in lines that repeat another."""
    max_newlines_per_word: float
    """Most line breaks over words."""


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
    """Thirds that stay, from the likeliest text to the least likely."""


class ScrubPii(Document):
    """E-mail addresses and public IP addresses are replaced by placeholders."""

    stage: Literal["scrub-pii"] = "scrub-pii"
    email: str
    """What stands for an e-mail address."""
    ip: str
    """What stands for an IPv4 or IPv6 address that is public; private and reserved ones stay."""


class ExactDedup(Document):
    """Documents whose normalised texts are the same; the first stays."""

    stage: Literal["exact-dedup"] = "exact-dedup"
    unicode: Literal["NFC", "NFKC", "as-is"]
    """Unicode normalisation form of the texts compared (UAX #15); the text itself is not changed."""
    collapse_space: bool
    """Whether runs of white space count as one space, and none at the ends."""
    ignore_case: bool
    """Whether capitals count as small letters."""


class NearDedup(Document):
    """Documents whose word n-grams are nearly those of an earlier one that stays, found by MinHash and verified."""

    stage: Literal["near-dedup"] = "near-dedup"
    ngram: Annotated[int, Field(ge=1, le=64)]
    """Words in an n-gram."""
    bands: Annotated[int, Field(ge=1, le=1024)]
    """Bands of MinHash values: documents are compared where all rows of one band agree."""
    rows: Annotated[int, Field(ge=1, le=64)]
    """MinHash values in a band."""
    threshold: Annotated[float, Field(gt=0, le=1)]
    """Least Jaccard similarity of the n-grams of a removed document and the one that stays."""
    seed: Annotated[int, Field(ge=0, lt=1 << 32)]
    """Of the MinHash permutations."""

    @model_validator(mode="after")
    def _finds_something(self) -> Self:
        """A curve that misses most pairs at its own threshold is a mistake, not a choice."""
        found = self.candidate_probability(self.threshold)
        if found < 0.5:
            raise SixndError(
                f"{self.bands} bands of {self.rows} rows find {found:.0%} of the pairs at Jaccard {self.threshold:g}",
                "take more bands or fewer rows",
            )
        return self

    def candidate_probability(self, similarity: float) -> float:
        """Probability that a pair of that Jaccard similarity s is compared: 1-(1-s^r)^b.

        Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", 3.4.2.
        """
        return float(1 - (1 - similarity**self.rows) ** self.bands)

    def probability_curve(self, similarities: Iterable[float]) -> list[tuple[float, float]]:
        """Similarities and the probability that a pair of each is compared."""
        return [(similarity, self.candidate_probability(similarity)) for similarity in similarities]


class SubstringDedup(Document):
    """Passages that stand in the corpus more than once are cut but where they stand first."""

    stage: Literal["substring-dedup"] = "substring-dedup"
    min_bytes: Annotated[int, Field(ge=16, le=1 << 16)]
    """Shortest repeated passage, in bytes of UTF-8."""


class Decontaminate(Document):
    """Documents that share a run of words with an evaluation item are removed or cut."""

    stage: Literal["decontaminate"] = "decontaminate"
    evaluation: list[str] = Field(default_factory=list)
    """Files of evaluation items, as globs relative to the spec: JSON lines (`.jsonl`, `.gz`, `.zst`), one item a line,
    or plain text, one item a file."""
    text_fields: list[str]
    """Fields of an item in JSON lines whose texts are joined; those it lacks are passed over."""
    ngram: Annotated[int, Field(ge=2, le=64)]
    """Words that a document and an item must share in a row."""
    min_words: Annotated[int, Field(ge=2, le=64)]
    """Items of so many words, but fewer than an n-gram, are looked for whole; shorter ones nowhere."""
    action: Literal["remove", "cut"]
    """Whether the document goes whole, or only what is shared and its surroundings."""
    window_characters: Count
    """With `cut`: characters cut on either side of a shared n-gram."""
    min_piece_characters: Count
    """With `cut`: shorter pieces between cuts go too."""
    max_pieces: Annotated[int, Field(ge=1)]
    """With `cut`: a document in more pieces goes whole."""
    ignore_above_documents: Annotated[int, Field(ge=1)] | None
    """N-grams that stand in more documents are taken for common phrases; `null` ignores none."""

    @model_validator(mode="after")
    def _shorter_than_an_ngram(self) -> Self:
        if self.min_words > self.ngram:
            raise SixndError(
                f"min_words ({self.min_words}) is above ngram ({self.ngram})", "lower one or raise the other"
            )
        return self


CorpusStageSettings = ExactDedup | NearDedup | SubstringDedup | Decontaminate
"""Settings of stages that must see all documents before they remove any."""

DocumentStageSettings = (
    Normalise | LanguageFilter | GopherQuality | GopherRepetition | C4 | FineWebQuality | Perplexity | ScrubPii
)
"""Settings of stages that look at one document at a time."""

StageSettings = Annotated[DocumentStageSettings | CorpusStageSettings, Field(discriminator="stage")]
"""Settings of one stage, complete: nothing is looked up any more."""


class TextFilter(Document):
    """A filter of the catalog: a stage with published settings."""

    settings: StageSettings
    """The stage and its thresholds."""
    source: str
    """Paper, section, and where the code that is used differs from it."""


class TextProfile(Document):
    """Stages for one kind of text, in order."""

    stages: list[str]
    """Names of the catalog of text filters."""
    source: str
    """Why these, and where they come from."""
