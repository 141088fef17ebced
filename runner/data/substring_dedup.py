"""Passages that stand in the corpus more than once, found by suffix array; the first occurrence stays.

After Lee et al. 2022, "Deduplicating Training Data Makes Language Models Better" (arXiv:2107.06499). A window of
``least_bytes`` bytes is cut wherever it occurs again, in another document or further on in the same one, unless it
overlaps its own first occurrence; cuts that touch are one. A cut is drawn in to whole characters and, where it has
white space in it, to whole words, so that nothing left behind is torn.

A suffix array takes about 17 bytes of memory a byte of text, so a larger corpus is taken in blocks, every pair of
blocks once: the findings are those of one array over everything, the time grows with the square of the number of
blocks.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field

from sixnd.runner.data.findings import Finding, Findings, Progress, Span, Text, without
from sixnd.runner.data.in_order import map_in_order
from sixnd.runner.data.shelf import Shelf
from sixnd.specs.document import Document
from sixnd.specs.errors import SixndError

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Places = np.ndarray[Any, np.dtype[np.int64]]

_END = np.frombuffer(b"\xff", dtype=np.uint8)  # in no UTF-8 text: a passage with it would cross documents
_MEMORY_BYTES = 512 << 20
_SPACE = re.compile(r"\s")
_NOWHERE = np.iinfo(np.int64).max


class SubstringDedup(Document):
    """How long a passage must be to be cut."""

    least_bytes: int = Field(default=200, ge=16)
    """Shortest repeated passage (UTF-8 bytes); Lee et al. take 50 tokens, which is about 200 bytes of English."""
    block_bytes: int = Field(default=64 << 20, ge=1, le=1 << 29, exclude=True)
    """Text in one block; a pair of blocks takes 34 times as much memory. Changes no finding, so it is in no digest."""


class _Corpus:
    """All documents as bytes, one after the other, and where they stand."""

    def __init__(self, spill_dir: Path | None) -> None:
        self.names: list[str] = []
        self.starts: list[int] = [0]
        self._shelf = Shelf(np.uint8, _MEMORY_BYTES, spill_dir)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._shelf.__exit__(None, None, None)

    def add(self, name: str, text: str) -> None:
        data = np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)
        self.names.append(name)
        self.starts.append(self.starts[-1] + len(data) + 1)
        self._shelf.add(data)
        self._shelf.add(_END)

    @property
    def bytes(self) -> int:
        return self.starts[-1] - len(self.names)

    def read(self) -> Bytes:
        return self._shelf.read()


def find_repeated_substrings(
    documents: Iterable[Text],
    settings: SubstringDedup | None = None,
    *,
    workers: int = 1,
    spill_dir: Path | None = None,
    progress: Progress | None = None,
) -> Findings:
    """Passages to cut, with the document of each one's first occurrence; documents of nothing else go whole.

    Holds an identifier a document; text beyond 512 MiB lies in ``spill_dir``. Every worker holds a pair of blocks.

    Raises ``SixndError`` where pydivsufsort is not installed.
    """
    settings = settings or SubstringDedup()
    _divsufsort()
    with _Corpus(spill_dir) as corpus:
        for name, text in documents:
            corpus.add(name, text)
        found: list[Finding] = []
        for first, last, source in _sources(corpus, settings, workers):
            found += _findings(corpus, first, last, source, settings.least_bytes)
            if progress:
                progress(last, corpus.starts[last] - last)
        return Findings("substring_dedup", settings.plain(), len(corpus.names), corpus.bytes, tuple(found))


def _blocks(starts: list[int], block_bytes: int) -> list[tuple[int, int]]:
    """First and last document (exclusive) of every block; a block holds one document at least."""
    blocks, first = [], 0
    for document in range(1, len(starts)):
        if document > first + 1 and starts[document] - starts[first] > block_bytes:
            blocks.append((first, document - 1))
            first = document - 1
    if first < len(starts) - 1:
        blocks.append((first, len(starts) - 1))
    return blocks


def _sources(corpus: _Corpus, settings: SubstringDedup, workers: int) -> Iterator[tuple[int, int, Places]]:
    """For every block, its documents and, at each byte, where the window there first occurs (`_NOWHERE`: only here)."""
    starts, text = corpus.starts, corpus.read()
    blocks = _blocks(starts, settings.block_bytes)
    pairs = [(max(other, 0), own) for own in range(len(blocks)) for other in range(min(own, 1) - 1, own)]

    def work() -> Iterator[tuple[Bytes, Bytes, int, int, int]]:
        for other, own in pairs:
            (a, b), (c, d) = blocks[other], blocks[own]
            before = text[starts[a] : starts[b]] if other != own else text[:0]
            yield np.array(before), np.array(text[starts[c] : starts[d]]), starts[a], starts[c], settings.least_bytes

    source = np.empty(0, np.int64)
    for (other, own), (places, heads) in zip(pairs, map_in_order(_repeats, work(), workers), strict=True):
        first, last = blocks[own]
        if other == 0:
            source = np.full(starts[last] - starts[first], _NOWHERE)
        source[places] = np.minimum(source[places], heads)
        if other >= own - 1:
            yield first, last, source


def _repeats(work: tuple[Bytes, Bytes, int, int, int]) -> tuple[Places, Places]:
    """Places in the own block whose window occurs earlier, in either block, and where it first does in the corpus."""
    before, own, before_start, own_start, least = work
    text = np.concatenate([before, own])
    places, heads = repeated_windows(text, least)
    inside = places >= len(before)
    places, heads = places[inside] - len(before), heads[inside]
    return places, np.where(heads < len(before), heads + before_start, heads - len(before) + own_start)


def repeated_windows(text: Bytes, least: int) -> tuple[Places, Places]:
    """Places where a window of ``least`` bytes begins that began at least as many bytes earlier, and its first place.

    Windows do not reach over the end of a document (byte 0xff).
    """
    if len(text) < 2 * least:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    module = _divsufsort()
    order = module.divsufsort(text)
    alike = module.kasai(text, order)[:-1] >= least  # neighbours in the order that begin with the same window
    member = np.zeros(len(order), dtype=bool)
    member[:-1] |= alike
    member[1:] |= alike
    ranks = np.flatnonzero(member)
    if not len(ranks):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    places = order[ranks].astype(np.int64)
    group_starts = np.flatnonzero(~np.concatenate([[False], alike])[ranks])
    heads = np.repeat(np.minimum.reduceat(places, group_starts), np.diff(np.append(group_starts, len(places))))
    ends = np.flatnonzero(text == _END)
    next_end = ends[np.minimum(np.searchsorted(ends, places), len(ends) - 1)] if len(ends) else len(text)
    fits = (places + least <= next_end) & (places - heads >= least)
    return places[fits], heads[fits]


def _findings(corpus: _Corpus, first: int, last: int, source: Places, least: int) -> Iterator[Finding]:
    """Cuts of one block's documents."""
    begin = corpus.starts[first]
    places = np.flatnonzero(source != _NOWHERE)
    if not len(places):
        return
    bounds = np.array(corpus.starts[first : last + 1]) - begin
    owners = np.searchsorted(bounds, places, side="right") - 1
    text, starts = corpus.read(), np.array(corpus.starts)
    for own in np.split(places, np.flatnonzero(np.diff(owners)) + 1):
        document = first + int(np.searchsorted(bounds, own[0], side="right")) - 1
        data = bytes(text[starts[document] : starts[document + 1] - 1])
        heads = np.searchsorted(starts, source[own], side="right") - 1
        cuts = _joined(own - (starts[document] - begin), heads, least)
        spans = [Span(start, end, corpus.names[head]) for start, end, head in _in_characters(data, cuts)]
        if spans:
            yield _finding(document, corpus.names[document], data.decode("utf-8", "surrogatepass"), spans)


def _joined(places: Places, heads: Places, least: int) -> Iterator[tuple[int, int, int]]:
    """Windows that touch as one: first byte, last (exclusive), document of the first window's first occurrence."""
    breaks = np.flatnonzero(np.diff(places) > least) + 1
    for run, head in zip(np.split(places, breaks), np.split(heads, breaks), strict=True):
        yield int(run[0]), int(run[-1]) + least, int(head[0])


def _in_characters(data: bytes, cuts: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Cuts in bytes as cuts in characters, drawn in to whole characters and words."""
    at_byte = at = 0
    text = data.decode("utf-8", "surrogatepass")
    for start, end, head in cuts:
        while start < end and data[start] & 0xC0 == 0x80:
            start += 1
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        first = at + len(data[at_byte:start].decode("utf-8", "surrogatepass"))
        last = first + len(data[start:end].decode("utf-8", "surrogatepass"))
        at_byte, at = end, last
        first, last = _whole_words(text, first, last)
        if first < last:
            yield first, last, head


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """The cut without the parts of words at its ends; as it is where it holds no white space (or one word only)."""
    space = _SPACE.search(text, start, end)
    if space is None:
        return start, end
    if start > 0 and not text[start - 1].isspace():
        start = space.start() if space.start() == start else space.end()
    while end < len(text) and not text[end].isspace() and not text[end - 1].isspace():
        end -= 1
    return start, max(start, end)


def _finding(position: int, name: str, text: str, spans: list[Span]) -> Finding:
    """The cuts of a document; the whole of it where nothing but white space would stay."""
    if not without(text, spans).strip():
        size = len(text.encode("utf-8", "surrogatepass"))
        return Finding(position, name, spans[0].also_in, "nothing in it but passages found earlier", size)
    size = sum(len(text[span.start : span.end].encode("utf-8", "surrogatepass")) for span in spans)
    why = f"{len(spans)} passage{'s' * (len(spans) > 1)} found earlier"
    return Finding(position, name, spans[0].also_in, why, size, tuple(spans))


def _divsufsort() -> Any:
    try:
        import pydivsufsort
    except ImportError as error:
        raise SixndError("repeated passages need pydivsufsort: pip install 'sixnd[data]'") from error
    return pydivsufsort
