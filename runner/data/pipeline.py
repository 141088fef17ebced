"""Documents through stages, one at a time, with an account of what each stage removed and why."""

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from sixnd.runner.data.cleaning import Scrubber
from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.document import Document, utf8_bytes
from sixnd.runner.data.stage import Kept, Removed, Stage, digest
from sixnd.specs import catalog
from sixnd.specs.data_result import Example, RemovedFor, StageResult, StagesResult
from sixnd.specs.document import sha256_of
from sixnd.specs.text_filters import ScrubPii

EXAMPLES = 3
"""Removed documents shown for each stage and reason."""
_EXCERPT_CHARACTERS = 300


def draw(identifier: str, seed: int) -> int:
    """Lot of a document: those with the smallest are shown. They are an even draw, in whatever order documents come."""
    return int.from_bytes(
        hashlib.blake2b(f"{seed}\0{identifier}".encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big"
    )


def _excerpt(document: Document) -> str:
    """The beginning of a text without addresses: it goes into reports, which people pass on."""
    settings = catalog.text_filter("scrub-pii").settings
    assert isinstance(settings, ScrubPii)
    beginning = replace(document, text=document.text[: 2 * _EXCERPT_CHARACTERS])  # an address may lie across its end
    return Scrubber(settings).apply(beginning).document.text[:_EXCERPT_CHARACTERS]


@dataclass
class _Reason:
    """What one stage removed for one reason, with the examples whose digests are the smallest.

    Those are an even draw without replacement, and the same one in whatever order documents come.
    """

    documents: int = 0
    bytes: int = 0
    drawn: list[tuple[int, str, str, str]] = field(default_factory=list)
    """Rank, identifier, detail and excerpt: identifiers are the user's, and several documents may have the same."""

    def add(self, document: Document, size: int, removed: Removed, seed: int, most: int) -> None:
        self.documents += 1
        self.bytes += size
        lot = -draw(document.id, seed)
        if not most or (len(self.drawn) == most and lot < self.drawn[0][0]):
            return
        one = (lot, document.id, removed.detail, _excerpt(document))
        if len(self.drawn) < most:
            heapq.heappush(self.drawn, one)
        else:
            heapq.heappushpop(self.drawn, one)

    def result(self, reason: str) -> RemovedFor:
        examples = [Example(id=name, detail=detail, excerpt=text) for _, name, detail, text in sorted(self.drawn)[::-1]]
        return RemovedFor(reason=reason, documents=self.documents, bytes=self.bytes, examples=examples)


@dataclass
class _Tally:
    """Counts of one stage."""

    documents_in: int = 0
    bytes_in: int = 0
    documents_out: int = 0
    bytes_out: int = 0
    edits: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, _Reason] = field(default_factory=dict)


class Pipeline:
    """Stages in order, and counts of all that went through them so far.

    ``examples`` documents are kept for each stage and reason, drawn by ``seed``.
    """

    def __init__(self, stages: Sequence[Stage], examples: int = EXAMPLES, seed: int = 0) -> None:
        self._stages = list(stages)
        self._tallies = [_Tally() for _ in stages]
        self._examples, self._seed = examples, seed

    @property
    def digest(self) -> str:
        """SHA-256 of what decides every verdict: all stages' settings, in order."""
        return sha256_of([digest(stage) for stage in self._stages])

    def documents(self, found: Iterable[Document]) -> Iterator[Document]:
        """The documents that every stage keeps, as they are then."""
        for document in found:
            kept = self._through(document)
            if kept is not None:
                yield kept

    def result(self, source: str, damage: DamageLog | None = None) -> StagesResult:
        """The account of all documents so far."""
        stages = [self._stage_result(*pair) for pair in zip(self._stages, self._tallies, strict=True)]
        found = damage.found() if damage else []
        return StagesResult(source=source, settings_sha256=self.digest, seed=self._seed, stages=stages, damage=found)

    def _through(self, document: Document) -> Document | None:
        size = utf8_bytes(document.text)
        for stage, tally in zip(self._stages, self._tallies, strict=True):
            tally.documents_in += 1
            tally.bytes_in += size
            outcome = stage.apply(document)
            if isinstance(outcome, Removed):
                reason = tally.reasons.setdefault(outcome.reason, _Reason())
                reason.add(document, size, outcome, self._seed, self._examples)
                return None
            document, size = outcome.document, self._size_after(document, size, outcome)
            tally.documents_out += 1
            tally.bytes_out += size
            tally.edits.update(outcome.edits)
        return document

    @staticmethod
    def _size_after(before: Document, size: int, outcome: Kept) -> int:
        return size if outcome.document.text is before.text else utf8_bytes(outcome.document.text)

    @staticmethod
    def _stage_result(stage: Stage, tally: _Tally) -> StageResult:
        most_first = sorted(tally.reasons.items(), key=lambda pair: (-pair[1].documents, pair[0]))
        return StageResult(
            name=stage.name,
            settings_sha256=digest(stage),
            settings=stage.settings,
            documents_in=tally.documents_in,
            bytes_in=tally.bytes_in,
            documents_out=tally.documents_out,
            bytes_out=tally.bytes_out,
            edits=dict(sorted(tally.edits.items())),
            removed=[reason.result(name) for name, reason in most_first],
        )
