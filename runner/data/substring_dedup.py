"""Passages that stand in the corpus more than once, found by suffix array; the first occurrence stays.

After Lee et al. 2022, "Deduplicating Training Data Makes Language Models Better" (arXiv:2107.06499). A window of
``min_bytes`` bytes is cut wherever it occurs again, in another document or further on in the same one, unless it
overlaps its own first occurrence; cuts that touch are one. A cut is drawn in to whole characters and, where it has
white space in it, to whole words, so that nothing left behind is torn.

Suffix arrays are made only of what a repeated window could stand in (see `anchors`). One takes about 17 bytes of memory
a byte of text, so more is taken in blocks, every pair of blocks once: the findings are those of one array over
everything, the time grows with the square of the number of blocks.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sixnd.runner.data.anchors import END, Bytes, Places, anchors, repeated_regions
from sixnd.runner.data.document import Document
from sixnd.runner.data.findings import Finding, Remover, Span, without, write_findings
from sixnd.runner.data.in_order import batches, map_in_order
from sixnd.runner.data.signature import Signatures, SignatureWriter
from sixnd.specs.errors import SixndError
from sixnd.specs.text_filters import SubstringDedup

_BLOCK_BYTES = 64 << 20
_BLOCKS_BYTES = 80 << 20  # of all workers' own blocks: what they hold together takes about 34 times as much
_SPACE = re.compile(r"\s")
_NOWHERE = np.iinfo(np.int64).max


class SubstringDeduplicator:
    """Cuts passages that stand earlier in the corpus.

    A signature is the text itself and 16 bytes an anchor. Finding holds 8 bytes a document and 16 a part in which
    something may repeat, and for every worker a pair of blocks of up to
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
        plain, before = {"anchors": np.uint64, "anchor places": np.int64}, 0
        with SignatureWriter(path, self, plain=plain, ragged={"text": np.uint8}) as writer:
            for batch in batches(documents):
                texts = [document.text.encode("utf-8", "surrogatepass") + bytes([END]) for document in batch]
                writer.add_documents(batch)
                joined = np.frombuffer(b"".join(texts), np.uint8)
                numbers, places = anchors(joined, self._chosen.min_bytes)
                writer.add_rows("text", joined, np.array([*map(len, texts)]))
                writer.add("anchors", numbers)
                writer.add("anchor places", places + before)
                before += len(joined)
                yield from batch

    def find(
        self,
        signed: Sequence[Path],
        findings: Sequence[Path],
        *,
        scratch: Path,  # noqa: ARG002 - the signatures are the text
        workers: int = 1,
    ) -> None:
        """Passages to cut, with the document of each one's first occurrence; documents of nothing else go whole."""
        shards = Signatures(signed, self)
        corpus = _Corpus(shards, self._chosen.min_bytes)
        found = (finding for block in _sources(corpus, workers) for finding in _findings(corpus, *block))
        write_findings(self, shards, findings, found)

    def remover(self, findings: Path) -> Remover:
        """The stage that cuts the passages out of one shard."""
        return Remover(self, "nothing but repeated passages", findings)


class _Corpus:
    """All documents as bytes, one after the other, and the parts of them in which something may repeat.

    Parts have places of their own: one after the other with an end mark behind each, so that distances between windows
    in one part are as in the corpus, and none in two parts are under ``least``.
    """

    def __init__(self, shards: Signatures, least: int) -> None:
        self.shards, self.least = shards, least
        ends = [shards.opened(shard).column("text ends") for shard in range(len(shards))]
        self._shard_starts = np.cumsum([0, *(int(own[-1]) if len(own) else 0 for own in ends)])
        shifted = (own + start for own, start in zip(ends, self._shard_starts, strict=False))
        self.starts: Places = np.concatenate([np.zeros(1, np.int64), *shifted])
        self._begins, self._ends = repeated_regions(shards, self._shard_starts, self.starts, least)
        self.part_starts: Places = np.concatenate([[0], np.cumsum(self._ends - self._begins + 1)])

    def blocks(self, block_bytes: int) -> list[tuple[int, int]]:
        """First and last part (exclusive) of every block; a block holds all parts of a document, of one at least."""
        owners = np.searchsorted(self.starts, self._begins, side="right") - 1
        bounds = np.concatenate([[0], np.flatnonzero(np.diff(owners)) + 1, [len(owners)]])[: len(owners) + 1]
        begins, blocks, first = self.part_starts[bounds], [], 0
        while first < len(bounds) - 1:
            fits = int(np.searchsorted(begins, begins[first] + block_bytes, side="right")) - 1
            last = max(fits, first + 1)
            blocks.append((int(bounds[first]), int(bounds[last])))
            first = last
        return blocks

    def read(self, block: tuple[int, int]) -> Bytes:
        """The parts of a block, each with its end mark."""
        mark = np.full(1, END, np.uint8)
        pieces = [np.empty(0, np.uint8)]
        for begin, end in zip(self._begins[slice(*block)].tolist(), self._ends[slice(*block)].tolist(), strict=True):
            shard = int(np.searchsorted(self._shard_starts, begin, side="right")) - 1
            before = int(self._shard_starts[shard])
            pieces += [self.shards.opened(shard).column("text")[begin - before : end - before], mark]
        return np.concatenate(pieces)

    def in_corpus(self, places: Places) -> Places:
        """Places in the parts as places in the corpus."""
        parts = np.searchsorted(self.part_starts, places, side="right") - 1
        found: Places = self._begins[parts] + places - self.part_starts[parts]
        return found

    def data(self, document: int) -> bytes:
        """One document."""
        return bytes(self.shards.row("text", document)[:-1])


def _sources(corpus: _Corpus, workers: int) -> Iterator[tuple[Places, Places]]:
    """Block by block, where repeated windows stand, in order, and where each one's first occurrence does."""
    blocks = corpus.blocks(min(_BLOCK_BYTES, _BLOCKS_BYTES // max(workers, 1)))
    pairs = [(max(other, 0), own) for own in range(len(blocks)) for other in range(min(own, 1) - 1, own)]
    work = [(blocks[other], blocks[own]) for other, own in pairs]
    source = np.empty(0, np.int64)
    for (other, own), (places, heads) in zip(
        pairs, map_in_order(partial(_repeats, corpus=corpus), work, workers), strict=True
    ):
        begin, end = corpus.part_starts[[*blocks[own]]].tolist()
        if other == 0:
            source = np.full(end - begin, _NOWHERE)
        source[places] = np.minimum(source[places], heads)
        if other >= own - 1:
            found = np.flatnonzero(source != _NOWHERE)
            yield corpus.in_corpus(found + begin), source[found]


def _repeats(work: tuple[tuple[int, int], tuple[int, int]], corpus: _Corpus) -> tuple[Places, Places]:
    """Places in the own block whose window occurs earlier, in either block, and where in the corpus it first does.

    ``work`` is an earlier block and the own one, or the own one twice.
    """
    other, block = work
    own = corpus.read(block)
    before = corpus.read(other) if other != block else own[:0]
    places, heads = repeated_windows(np.concatenate([before, own]), corpus.least)
    inside = places >= len(before)
    places, heads = places[inside] - len(before), heads[inside]
    other_begin, own_begin = int(corpus.part_starts[other[0]]), int(corpus.part_starts[block[0]])
    return places, corpus.in_corpus(heads + np.where(heads < len(before), other_begin, own_begin - len(before)))


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
    ends = np.flatnonzero(text == END)
    next_end = ends[np.minimum(np.searchsorted(ends, places), len(ends) - 1)] if len(ends) else len(text)
    fits = (places + least <= next_end) & (places - heads >= least)
    return places[fits], heads[fits]


def _findings(corpus: _Corpus, places: Places, sources: Places) -> Iterator[Finding]:
    """Cuts of the documents that repeated windows stand in, given where each first occurs."""
    owners = np.searchsorted(corpus.starts, places, side="right") - 1
    breaks = np.flatnonzero(np.diff(owners)) + 1
    for own, source in zip(np.split(places, breaks), np.split(sources, breaks), strict=True):
        if not len(own):  # one empty piece, where nothing repeats
            return
        document = int(np.searchsorted(corpus.starts, own[0], side="right")) - 1
        data = corpus.data(document)
        heads = np.searchsorted(corpus.starts, source, side="right") - 1
        found = list(_in_characters(data, _joined(own - int(corpus.starts[document]), heads, corpus.least)))
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
        raise SixndError("repeated passages need pydivsufsort", "pip install 'sixnd[data]'") from error
    return pydivsufsort
