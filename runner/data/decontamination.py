"""Documents that give away evaluation items, found by the n-grams of words that they share.

After GPT-3 (Brown et al. 2020, arXiv:2005.14165, appendix C): 13-grams of lower-cased words without punctuation. A
document is removed whole or, as GPT-3 did it, loses every shared n-gram with 200 characters on either side; what is
left in pieces under 200 characters goes too, and a document in more than 10 pieces goes whole. GPT-3 made documents of
the pieces; here they stay one document, joined.

An item shorter than an n-gram is looked for whole where it has at least ``least_words`` words; a shorter one is looked
for nowhere, and told in `EvaluationIndex.too_short`. N-grams are compared by 64-bit numbers (see `shingles`).
"""

import functools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from sixnd.runner.data.findings import Finding, Findings, Progress, Span, Text
from sixnd.runner.data.in_order import batches, map_in_order
from sixnd.runner.data.shingles import Hashes, ngram_hashes, word_hashes, word_places
from sixnd.specs.document import Document, sha256_of
from sixnd.specs.errors import SixndError

_BATCH_DOCUMENTS = 512
_BATCH_BYTES = 4 << 20
_SHOWN_CHARACTERS = 120


class Decontamination(Document):
    """What counts as giving an evaluation item away, and what is done about it."""

    ngram: int = Field(default=13, ge=2, le=64)
    """Words that a document and an item must share in a row."""
    least_words: int = Field(default=8, ge=2, le=64)
    """Items of at least so many words, but fewer than an n-gram, are looked for whole."""
    action: Literal["remove", "cut"] = "remove"
    window_characters: int = Field(default=200, ge=0)
    """Cut on either side of a shared n-gram."""
    least_piece_characters: int = Field(default=200, ge=0)
    """Shorter pieces between cuts go too."""
    most_pieces: int = Field(default=10, ge=1)
    """A document in more pieces goes whole."""
    ignore_above_documents: int | None = Field(default=None, ge=1)
    """N-grams found in more documents are taken for common phrases (GPT-3: 10); `null` ignores none."""

    @model_validator(mode="after")
    def _shorter_than_an_ngram(self) -> Self:
        if self.least_words > self.ngram:
            raise ValueError(f"least_words ({self.least_words}) is above ngram ({self.ngram})")
        return self


@dataclass(frozen=True)
class EvaluationIndex:
    """N-grams of evaluation items, by their length in words, and the first item that each stands in."""

    names: tuple[str, ...]
    grams: dict[int, tuple[Hashes, Hashes]]
    too_short: tuple[str, ...]
    sha256: str
    """Of the items' names and texts."""

    @classmethod
    def of(cls, items: Iterable[Text], settings: Decontamination) -> "EvaluationIndex":
        """Index items (an identifier, such as ``gsm8k/test/17``, and all text whose knowledge would help).

        Raises ``SixndError`` where no item is long enough to be looked for.
        """
        held = list(items)
        hashes, offsets = word_hashes(text for _, text in held)
        counts = np.diff(offsets)
        lengths = np.minimum(counts, settings.ngram)
        names = tuple(name for name, _ in held)
        grams = {
            int(n): _first_items(hashes, offsets, np.flatnonzero(lengths == n), int(n))
            for n in np.unique(lengths)
            if n >= settings.least_words
        }
        if not grams:
            raise SixndError(f"no evaluation item has {settings.least_words} words; nothing could be found by them")
        short = tuple(names[i] for i in np.flatnonzero(counts < settings.least_words))
        return cls(names, grams, short, sha256_of(held))


def _first_items(hashes: Hashes, offsets: Any, items: Any, n: int) -> tuple[Hashes, Hashes]:
    """Sorted numbers of the n-grams of some items, and the first item of each."""
    own = np.concatenate([hashes[offsets[i] : offsets[i + 1]] for i in items])
    bounds = np.concatenate([[0], np.cumsum(offsets[items + 1] - offsets[items])])
    grams, ends = ngram_hashes(own, bounds, n)
    keys, first = np.unique(grams, return_index=True)
    return keys, items[np.repeat(np.arange(len(items)), np.diff(ends))[first]]


@dataclass(frozen=True)
class _Match:
    """An n-gram that a document shares with an item: characters of the document, the item, the n-gram's number."""

    start: int
    end: int
    item: int
    gram: int
    words: int


@dataclass(frozen=True)
class _Hit:
    """A document with matches."""

    position: int
    name: str
    text: str
    matches: list[_Match]


def find_contaminated(
    documents: Iterable[Text],
    index: EvaluationIndex,
    settings: Decontamination | None = None,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> Findings:
    """Documents that share n-grams with evaluation items, each with the first such item and how much is shared.

    Holds the index, and the documents that share anything with it. ``settings`` are those of the index.
    """
    settings = settings or Decontamination()
    hits: list[_Hit] = []
    seen = total = 0
    act = functools.partial(_hits_of, index=index)
    for sizes, found in map_in_order(act, batches(documents, _BATCH_DOCUMENTS, _BATCH_BYTES), workers):
        hits += [replace(hit, position=seen + hit.position) for hit in found]
        seen += len(sizes)
        total += sum(sizes)
        if progress:
            progress(seen, total)
    common = _common(hits, settings.ignore_above_documents)
    left = [replace(hit, matches=[match for match in hit.matches if match.gram not in common]) for hit in hits]
    findings = tuple(_finding(hit, index, settings) for hit in left if hit.matches)
    told = settings.plain() | {"evaluation_sha256": index.sha256}
    return Findings("decontamination", told, seen, total, findings)


def _hits_of(batch: list[Text], index: EvaluationIndex) -> tuple[list[int], list[_Hit]]:
    """Sizes of a batch's documents in bytes, and those that share n-grams with items, by their place in the batch."""
    hashes, offsets = word_hashes(text for _, text in batch)
    places: dict[int, list[tuple[int, int, int, int]]] = {}
    for n, (keys, items) in index.grams.items():
        grams, ends = ngram_hashes(hashes, offsets, n)
        at = np.minimum(np.searchsorted(keys, grams), len(keys) - 1)
        for hit in np.flatnonzero(keys[at] == grams):
            document = int(np.searchsorted(ends, hit, side="right")) - 1
            word = int(hit - ends[document])
            places.setdefault(document, []).append((word, n, int(items[at[hit]]), int(grams[hit])))
    hits = [_Hit(i, *batch[i], list(_in_characters(batch[i][1], own))) for i, own in sorted(places.items())]
    return [_bytes(text) for _, text in batch], hits


def _in_characters(text: str, places: list[tuple[int, int, int, int]]) -> Iterator[_Match]:
    """Shared n-grams with their places in the text, first to last."""
    words = list(word_places(text))
    for word, n, item, gram in sorted(places):
        yield _Match(words[word][0], words[word + n - 1][1], item, gram, n)


def _common(hits: list[_Hit], most: int | None) -> set[int]:
    """N-grams that stand in more than ``most`` documents."""
    if most is None:
        return set()
    count = Counter(gram for hit in hits for gram in {match.gram for match in hit.matches})
    return {gram for gram, documents in count.items() if documents > most}


def _finding(hit: _Hit, index: EvaluationIndex, settings: Decontamination) -> Finding:
    """What is done to one document, and why."""
    items = list(dict.fromkeys(index.names[match.item] for match in hit.matches))
    more = f" and {len(items) - 1} more" if len(items) > 1 else ""
    first = hit.matches[0]
    shown = " ".join(hit.text[first.start : first.end].split())[:_SHOWN_CHARACTERS]
    why = f"{len(hit.matches)} n-grams of {items[0]}{more}; the first, of {first.words} words: {shown}"
    spans = _cuts(hit.matches, len(hit.text), index, settings) if settings.action == "cut" else ()
    gone = "".join(hit.text[span.start : span.end] for span in spans) if spans else hit.text
    return Finding(hit.position, hit.name, items[0], why, _bytes(gone), spans)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _cuts(matches: list[_Match], length: int, index: EvaluationIndex, settings: Decontamination) -> tuple[Span, ...]:
    """Spans to cut; none where the whole document is to go."""
    cuts: list[Span] = []
    for match in matches:
        start = max(match.start - settings.window_characters, 0)
        end = min(match.end + settings.window_characters, length)
        if cuts and start <= cuts[-1].end:
            cuts[-1] = Span(cuts[-1].start, max(end, cuts[-1].end), cuts[-1].also_in)
        else:
            cuts.append(Span(start, end, index.names[match.item]))
    pieces = [(a.end, b.start) for a, b in zip([Span(0, 0, ""), *cuts], [*cuts, Span(length, length, "")], strict=True)]
    if sum(start < end for start, end in pieces) > settings.most_pieces:
        return ()
    return _without_short_pieces(cuts, length, settings.least_piece_characters)


def _without_short_pieces(cuts: list[Span], length: int, least: int) -> tuple[Span, ...]:
    """The cuts with every piece of fewer than ``least`` characters between, before or after them."""
    joined: list[Span] = []
    for cut in cuts:
        if joined and cut.start - joined[-1].end < least:
            joined[-1] = Span(joined[-1].start, cut.end, joined[-1].also_in)
        else:
            joined.append(cut if cut.start >= least else Span(0, cut.end, cut.also_in))
    last = joined[-1]
    if length - last.end < least:
        joined[-1] = Span(last.start, length, last.also_in)
    return () if joined[0].start == 0 and joined[0].end == length else tuple(joined)
