"""Documents that give away evaluation items, found by the n-grams of words that they share.

After GPT-3 (Brown et al. 2020, arXiv:2005.14165, appendix C): 13-grams of lower-cased words without punctuation. A
document is removed whole or, as GPT-3 did it, loses every shared n-gram with 200 characters on either side; what is
left in pieces under 200 characters goes too, and a document in more than 10 pieces goes whole. GPT-3 made documents of
the pieces; here they stay one document, joined.

An item shorter than an n-gram is looked for whole where it has at least ``min_words`` words; a shorter one is looked
for nowhere, and counted in the settings that the account tells. N-grams are compared by 64-bit numbers (see
`shingles`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sixnd.runner.data.document import Document
from sixnd.runner.data.evaluation_items import evaluation_items
from sixnd.runner.data.findings import Finding, Remover, Span, write_findings
from sixnd.runner.data.in_order import batches
from sixnd.runner.data.shelf import Array
from sixnd.runner.data.shingles import Hashes, ngram_hashes, word_hashes, word_places
from sixnd.runner.data.signature import Signature, Signatures, SignatureWriter
from sixnd.specs.document import sha256_of
from sixnd.specs.errors import SixndError
from sixnd.specs.text_filters import Decontaminate

_SHOWN_CHARACTERS = 120


@dataclass(frozen=True)
class EvaluationIndex:
    """N-grams of evaluation items, by their length in words, and the first item that each stands in."""

    names: tuple[str, ...]
    grams: dict[int, tuple[Hashes, Hashes]]
    too_short: tuple[str, ...]
    sha256: str
    """Of the items' names and texts."""

    @classmethod
    def of(cls, items: Iterable[tuple[str, str]], settings: Decontaminate) -> "EvaluationIndex":
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
            if n >= settings.min_words
        }
        if not grams:
            raise SixndError(
                f"no evaluation item has {settings.min_words} words", "lower min_words, or give longer items"
            )
        short = tuple(names[i] for i in np.flatnonzero(counts < settings.min_words))
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


class Decontaminator:
    """Takes out, or cuts, documents that share n-grams with evaluation items.

    A signature has the texts of documents that share anything, and what they share. Finding holds what one document
    shares, and the count of every n-gram shared where common ones are to be ignored.

    Raises ``SixndError`` where the evaluation sets cannot be read, or no item is long enough.
    """

    name = "decontaminate"

    def __init__(self, chosen: Decontaminate, base_dir: Path) -> None:
        self._chosen = chosen
        self._index = EvaluationIndex.of(evaluation_items(chosen, base_dir), chosen)
        self.settings = chosen.plain() | {
            "evaluation_sha256": self._index.sha256,
            "items": len(self._index.names),
            "items_too_short": len(self._index.too_short),
        }

    def signed(self, documents: Iterable[Document], path: Path) -> Iterator[Document]:
        """Pass documents through and write what they share with items."""
        with SignatureWriter(path, self, plain={}, ragged={"text": np.uint8, "matches": np.int64}) as writer:
            for batch in batches(documents):
                hits = _hits_of([document.text for document in batch], self._index)
                texts = [
                    batch[i].text.encode("utf-8", "surrogatepass") if i in hits else b"" for i in range(len(batch))
                ]
                rows = [hits.get(i, []) for i in range(len(batch))]
                writer.add_documents(batch)
                writer.add_rows("text", np.frombuffer(b"".join(texts), np.uint8), np.array([*map(len, texts)]))
                writer.add_rows("matches", _as_numbers(rows), np.array([5 * len(row) for row in rows]))
                yield from batch

    def find(
        self,
        signed: Sequence[Path],
        findings: Sequence[Path],
        *,
        scratch: Path,  # noqa: ARG002 - what is shared is little
        workers: int = 1,  # noqa: ARG002
    ) -> None:
        """Documents that share n-grams, each with the first item and how much is shared."""
        shards = Signatures(signed, self)
        write_findings(self, shards, findings, self._found(shards))

    def remover(self, findings: Path) -> Remover:
        """The stage that takes the items out of one shard."""
        return Remover(self, "evaluation item", findings)

    def _found(self, shards: Signatures) -> Iterator[Finding]:
        common = _common(shards, self._chosen.ignore_above_documents)
        for shard in range(len(shards)):
            signature, start = shards.opened(shard), int(shards.starts[shard])
            for document in np.flatnonzero(np.diff(signature.column("matches ends"), prepend=0)).tolist():
                matches = [match for match in _matches(signature, document) if match.gram not in common]
                text = bytes(signature.row("text", document)).decode("utf-8", "surrogatepass")
                if matches:
                    what, why, spans = _verdict(text, matches, self._index, self._chosen)
                    yield Finding(start + document, signature.id(document), what, why, spans)


def _hits_of(texts: list[str], index: EvaluationIndex) -> dict[int, list[_Match]]:
    """What texts share with items, by their place in the list."""
    hashes, offsets = word_hashes(texts)
    places: dict[int, list[tuple[int, int, int, int]]] = {}
    for n, (keys, items) in index.grams.items():
        grams, ends = ngram_hashes(hashes, offsets, n)
        at = np.minimum(np.searchsorted(keys, grams), len(keys) - 1)
        for hit in np.flatnonzero(keys[at] == grams):
            document = int(np.searchsorted(ends, hit, side="right")) - 1
            word = int(hit - ends[document])
            gram = int(grams[hit].astype(np.int64))
            places.setdefault(document, []).append((word, n, int(items[at[hit]]), gram))
    return {document: list(_in_characters(texts[document], own)) for document, own in places.items()}


def _as_numbers(rows: list[list[_Match]]) -> Array:
    flat = [(m.start, m.end, m.item, m.gram, m.words) for row in rows for m in row]
    return np.array(flat, dtype=np.int64).ravel()


def _matches(signature: Signature, document: int) -> Iterator[_Match]:
    for row in signature.row("matches", document).reshape(-1, 5).tolist():
        yield _Match(*row)


def _in_characters(text: str, places: list[tuple[int, int, int, int]]) -> Iterator[_Match]:
    """Shared n-grams with their places in the text, first to last."""
    words = list(word_places(text))
    for word, n, item, gram in sorted(places):
        yield _Match(words[word][0], words[word + n - 1][1], item, gram, n)


def _common(shards: Signatures, most: int | None) -> set[int]:
    """N-grams that stand in more than ``most`` documents."""
    if most is None:
        return set()
    count: Counter[int] = Counter()
    for shard in range(len(shards)):
        signature = shards.opened(shard)
        ends = signature.column("matches ends") // 5
        owners = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
        pairs = np.unique(np.column_stack([owners, signature.column("matches")[3::5]]), axis=0)
        count.update(pairs[:, 1].tolist())
    return {gram for gram, documents in count.items() if documents > most}


def _verdict(
    text: str, matches: list[_Match], index: EvaluationIndex, settings: Decontaminate
) -> tuple[str, str, tuple[Span, ...]]:
    """The first item that a document gives away, why, and the spans to cut (none: the whole)."""
    items = list(dict.fromkeys(index.names[match.item] for match in matches))
    more = f" and {len(items) - 1} more" if len(items) > 1 else ""
    first = matches[0]
    shown = " ".join(text[first.start : first.end].split())[:_SHOWN_CHARACTERS]
    grams = f"{len(matches)} n-gram{'s' * (len(matches) > 1)}"
    why = f"{grams} of {items[0]}{more}; the first, of {first.words} words: {shown}"
    return items[0], why, _cuts(matches, len(text), settings) if settings.action == "cut" else ()


def _cuts(matches: list[_Match], length: int, settings: Decontaminate) -> tuple[Span, ...]:
    """Spans to cut; none where the whole document is to go."""
    cuts: list[Span] = []
    for match in matches:
        start = max(match.start - settings.window_characters, 0)
        end = min(match.end + settings.window_characters, length)
        if cuts and start <= cuts[-1][1]:
            cuts[-1] = (cuts[-1][0], max(end, cuts[-1][1]))
        else:
            cuts.append((start, end))
    pieces = zip([0, *(end for _, end in cuts)], [*(start for start, _ in cuts), length], strict=True)
    if sum(start < end for start, end in pieces) > settings.max_pieces:
        return ()
    return _without_short_pieces(cuts, length, settings.min_piece_characters)


def _without_short_pieces(cuts: list[Span], length: int, least: int) -> tuple[Span, ...]:
    """The cuts with every piece of fewer than ``least`` characters between, before or after them."""
    joined: list[Span] = []
    for start, end in cuts:
        if joined and start - joined[-1][1] < least:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start if start >= least or joined else 0, end))
    if length - joined[-1][1] < least:
        joined[-1] = (joined[-1][0], length)
    return () if joined[0] == (0, length) else tuple(joined)
