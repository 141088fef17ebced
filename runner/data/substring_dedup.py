"""Passages that stand in the corpus more than once, found by suffix array; the first occurrence stays.

After Lee et al. 2022, "Deduplicating Training Data Makes Language Models Better" (arXiv:2107.06499). A window of
``min_bytes`` bytes is cut wherever it occurs again, in another document or further on in the same one, unless it
overlaps its own first occurrence; cuts that touch are one. A cut is drawn in to whole characters and, where it has
white space in it, to whole words, so that nothing left behind is torn.

A suffix array takes about 17 bytes of memory a byte of text, so a larger corpus is taken in blocks, every pair of
blocks once: the findings are those of one array over everything, the time grows with the square of the number of
blocks.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sixnd.runner.data.document import Document
from sixnd.runner.data.findings import Finding, Progress, Remover, Span, without, write_findings
from sixnd.runner.data.in_order import batches, map_in_order
from sixnd.runner.data.signature import Signatures, SignatureWriter
from sixnd.specs.errors import SixndError
from sixnd.specs.text_filters import SubstringDedup

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Places = np.ndarray[Any, np.dtype[np.int64]]

_END = 0xFF  # in no UTF-8 text: a passage with it would cross documents
_BLOCK_BYTES = 64 << 20
_BLOCKS_BYTES = 80 << 20  # of all workers' own blocks: what they hold together takes about 34 times as much
_SPACE = re.compile(r"\s")
_NOWHERE = np.iinfo(np.int64).max


class SubstringDeduplicator:
    """Cuts passages that stand earlier in the corpus.

    A signature is the text itself. Finding holds 8 bytes a document, and for every worker a pair of blocks of up to
    64 MiB; with several workers blocks are smaller, so that all of them stay under 4 GB together.

    Raises ``SixndError`` where pydivsufsort is not installed.
    """

    name = "substring-dedup"

    def __init__(self, chosen: SubstringDedup) -> None:
        self._chosen = chosen
        self.settings = chosen.plain()
        _divsufsort()

    def signed(self, documents: Iterable[Document], path: Path) -> Iterator[Document]:
        """Pass documents through and write their texts as bytes, each with an end mark."""
        with SignatureWriter(path, self, plain={}, ragged={"text": np.uint8}) as writer:
            for batch in batches(documents):
                texts = [document.text.encode("utf-8", "surrogatepass") + bytes([_END]) for document in batch]
                writer.add_documents(batch)
                writer.add_rows("text", np.frombuffer(b"".join(texts), np.uint8), np.array([*map(len, texts)]))
                yield from batch

    def find(
        self,
        signed: Sequence[Path],
        findings: Sequence[Path],
        *,
        scratch: Path,  # noqa: ARG002 - the signatures are the text
        workers: int = 1,
        progress: Progress | None = None,
    ) -> None:
        """Passages to cut, with the document of each one's first occurrence; documents of nothing else go whole."""
        shards = Signatures(signed, self)
        write_findings(self, shards, findings, _found(_Corpus(shards), self._chosen.min_bytes, workers), progress)

    def remover(self, findings: Path) -> Remover:
        """The stage that cuts the passages out of one shard."""
        return Remover(self, "nothing but repeated passages", findings)


class _Corpus:
    """All documents as bytes, one after the other, and where they stand."""

    def __init__(self, shards: Signatures) -> None:
        self.shards = shards
        ends = [shards.opened(shard).column("text ends") for shard in range(len(shards))]
        self._shard_starts = np.cumsum([0, *(int(own[-1]) if len(own) else 0 for own in ends)])
        shifted = (own + start for own, start in zip(ends, self._shard_starts, strict=False))
        self.starts: Places = np.concatenate([np.zeros(1, np.int64), *shifted])

    def read(self, start: int, end: int) -> Bytes:
        """Bytes ``start`` to ``end``, copied."""
        first = int(np.searchsorted(self._shard_starts, start, side="right")) - 1
        parts = [np.empty(0, np.uint8)]
        while first < len(self.shards) and self._shard_starts[first] < end:
            before = int(self._shard_starts[first])
            parts.append(self.shards.opened(first).column("text")[max(start - before, 0) : end - before])
            first += 1
        return np.concatenate(parts)

    def data(self, document: int) -> bytes:
        """One document."""
        return bytes(self.shards.row("text", document)[:-1])


def _found(corpus: _Corpus, least: int, workers: int) -> Iterator[Finding]:
    for first, last, source in _sources(corpus, least, workers):
        yield from _findings(corpus, first, last, source, least)


def _blocks(starts: Places, block_bytes: int) -> list[tuple[int, int]]:
    """First and last document (exclusive) of every block; a block holds one document at least."""
    blocks, first = [], 0
    while first < len(starts) - 1:
        fits = int(np.searchsorted(starts, starts[first] + block_bytes, side="right")) - 1
        last = max(fits, first + 1)
        blocks.append((first, last))
        first = last
    return blocks


def _sources(corpus: _Corpus, least: int, workers: int) -> Iterator[tuple[int, int, Places]]:
    """For every block, its documents and, at each byte, where the window there first occurs (`_NOWHERE`: only here)."""
    starts = corpus.starts
    blocks = _blocks(starts, min(_BLOCK_BYTES, _BLOCKS_BYTES // max(workers, 1)))
    pairs = [(max(other, 0), own) for own in range(len(blocks)) for other in range(min(own, 1) - 1, own)]
    work = [(starts[[*blocks[other]]], starts[[*blocks[own]]]) for other, own in pairs]
    act = partial(_repeats, corpus=corpus, least=least)
    source = np.empty(0, np.int64)
    for (other, own), (places, heads) in zip(pairs, map_in_order(act, work, workers), strict=True):
        first, last = blocks[own]
        if other == 0:
            source = np.full(starts[last] - starts[first], _NOWHERE)
        source[places] = np.minimum(source[places], heads)
        if other >= own - 1:
            yield first, last, source


def _repeats(work: tuple[Places, Places], corpus: _Corpus, least: int) -> tuple[Places, Places]:
    """Places in the own block whose window occurs earlier, in either block, and where it first does in the corpus.

    ``work`` is the first byte, and the last (exclusive), of the earlier block and of the own one (which may be equal).
    """
    (before_start, before_end), (own_start, own_end) = (bounds.tolist() for bounds in work)
    own = corpus.read(own_start, own_end)
    before = corpus.read(before_start, before_end) if before_start < own_start else own[:0]
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
    begin = int(corpus.starts[first])
    places = np.flatnonzero(source != _NOWHERE)
    if not len(places):
        return
    bounds = corpus.starts[first : last + 1] - begin
    owners = np.searchsorted(bounds, places, side="right") - 1
    for own in np.split(places, np.flatnonzero(np.diff(owners)) + 1):
        document = first + int(np.searchsorted(bounds, own[0], side="right")) - 1
        data = corpus.data(document)
        heads = np.searchsorted(corpus.starts, source[own], side="right") - 1
        cuts = _joined(own - (int(corpus.starts[document]) - begin), heads, least)
        found = list(_in_characters(data, cuts))
        if found:
            spans = tuple((start, end) for start, end, _ in found)
            yield _finding(corpus.shards, document, data.decode("utf-8", "surrogatepass"), spans, found[0][2])


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


def _finding(shards: Signatures, document: int, text: str, spans: tuple[Span, ...], first: int) -> Finding:
    """The cuts of a document; the whole of it where nothing but white space would stay."""
    name, also_in = shards.id(document), shards.seen_from(first, document)
    if not without(text, spans).strip():
        return Finding(document, name, also_in, f"all of it stands earlier, the first passage in {also_in}")
    why = f"{len(spans)} passage{'s' * (len(spans) > 1)} found earlier, the first in {also_in}"
    return Finding(document, name, also_in, why, spans)


def _divsufsort() -> Any:
    try:
        import pydivsufsort
    except ImportError as error:
        raise SixndError("repeated passages need pydivsufsort: pip install 'sixnd[data]'") from error
    return pydivsufsort
