"""A source's tokenised documents dealt to validation, annealing and the main phase, by contiguous ranges.

The first documents are held out for validation, the next are kept apart for annealing, the rest are read in the main
phase: no document is in two parts, unless the plan lets annealing repeat. Each part becomes one pair of Megatron's
files, named by its content (Megatron caches indices by path, not content), so a part that is there is taken as it is.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sixnd.runner.indexed import indexed_writer, verified, with_suffix
from sixnd.runner.indexed_reader import Array, IndexedReader
from sixnd.runner.job import SourceFiles
from sixnd.specs.annealing import held_for_annealing
from sixnd.specs.errors import InvalidDataError, SixndError
from sixnd.specs.plan import PhaseName, Plan, PlannedSource

_TOKEN_SURPLUS = 1.05  # so that rounding to whole sequences never starts a second epoch
_DIGEST_DIGITS = 12


@dataclass(frozen=True)
class Part:
    """The documents [first, last) of a source, and their files."""

    prefix: Path
    """Of ``.bin`` and ``.idx``."""
    first: int
    last: int
    tokens: int

    @property
    def documents(self) -> int:
        """How many there are."""
        return self.last - self.first


@dataclass(frozen=True)
class Dealt:
    """One source's parts."""

    name: str
    weight: float
    validation: Part
    main: Part
    annealing: Part | None
    """None where annealing reads nothing of the source; the same files as ``main`` where it repeats."""
    sha256: str
    """Of the tokens of all parts, in the order of the documents."""

    @property
    def parts(self) -> list[Part]:
        """Each once, in the order of the documents."""
        apart = [] if self.annealing in (None, self.main) else [self.annealing]
        return [self.validation, *(part for part in apart if part is not None), self.main]

    @property
    def train_tokens(self) -> int:
        """Of both phases."""
        return sum(part.tokens for part in self.parts[1:])

    @property
    def documents(self) -> int:
        """Of all parts."""
        return sum(part.documents for part in self.parts)

    def files(self, root: Path) -> SourceFiles:
        """The prefixes, relative to ``root`` (the job folder)."""
        return SourceFiles(
            name=self.name,
            weight=self.weight,
            train_prefix=str(self.main.prefix.relative_to(root)),
            validation_prefix=str(self.validation.prefix.relative_to(root)),
            anneal_prefix=None if self.annealing is None else str(self.annealing.prefix.relative_to(root)),
        )


@dataclass(frozen=True)
class _Needs:
    """Tokens that each part of a source should hold."""

    validation: float
    main: float
    annealing: float


class _Documents:
    """All shards of a source as one run of documents."""

    def __init__(self, shards: Sequence[Path]) -> None:
        self.shards = [IndexedReader(shard) for shard in shards]
        self.dtype = self.shards[0].dtype
        assert all(shard.dtype == self.dtype for shard in self.shards)
        self.count = sum(shard.documents for shard in self.shards)
        self.tokens = sum(shard.tokens for shard in self.shards)

    def reaching(self, tokens: float) -> int:
        """How many of the first documents hold at least so many tokens: all where they do not."""
        documents = held = 0
        for shard in self.shards:
            if held >= tokens:
                break
            if held + shard.tokens >= tokens:
                ends = held + np.cumsum(shard.lengths, dtype=np.int64)
                return documents + int(np.searchsorted(ends, tokens)) + 1
            documents, held = documents + shard.documents, held + shard.tokens
        return documents

    def _within(self, first: int, last: int) -> Iterator[tuple[IndexedReader, int, int]]:
        """The shards that hold documents of [first, last), each with the range within it."""
        start = 0
        for shard in self.shards:
            low, high = max(first - start, 0), min(last - start, shard.documents)
            if low < high:
                yield shard, low, high
            start += shard.documents

    def total(self, first: int, last: int) -> int:
        """Tokens of the documents [first, last)."""
        return sum(int(shard.lengths[low:high].sum(dtype=np.int64)) for shard, low, high in self._within(first, last))

    def batches(self, first: int, last: int) -> Iterator[tuple[Array, Array]]:
        """Their tokens, some documents at a time and joined, and the length of each."""
        for shard, low, high in self._within(first, last):
            yield from shard.batches(low, high)


def deal(source: PlannedSource, plan: Plan, shards: Sequence[Path], into: Path) -> Dealt:
    """Deal the documents of ``shards`` (prefixes, in order) into files in the folder ``into``.

    Each part takes as much as the plan reads of it and a little more; what is left is not read. Raises ``SixndError``
    where a part would not hold one sequence.
    """
    documents = _Documents(shards)
    needs = _needs(source, plan, documents.tokens)
    ranges = _ranges(documents, needs, repeat=_repeats(plan))
    _check_enough(source, plan, documents, ranges)
    digest = hashlib.sha256()
    parts = {
        name: _write(documents, *ranges[name], into / f"{source.name}-{name}", digest)
        for name in sorted(ranges, key=lambda name: ranges[name])
    }
    annealing = parts["train" if _repeats(plan) else "anneal"] if needs.annealing else None
    return Dealt(
        name=source.name,
        weight=phase_share(plan, "main", source.name),
        validation=parts["validation"],
        main=parts["train"],
        annealing=annealing,
        sha256=digest.hexdigest(),
    )


def tokens_missing(source: PlannedSource, plan: Plan, shards: Sequence[Path]) -> float:
    """Tokens that the source's parts still lack where only ``shards`` are dealt; 0 where they have what they need."""
    documents = _Documents(shards) if shards else None
    needs = _needs(source, plan, source.tokens if documents is None else documents.tokens)
    needed = {"validation": needs.validation, "train": needs.main, "anneal": needs.annealing}
    if _repeats(plan):
        needed |= {"train": max(needs.main, needs.annealing), "anneal": 0.0}
    if documents is None:
        return sum(needed.values())
    ranges = _ranges(documents, needs, repeat=_repeats(plan))
    return sum(max(0.0, needed[name] - documents.total(*bounds)) for name, bounds in ranges.items())


def _repeats(plan: Plan) -> bool:
    return plan.data.anneal is not None and plan.data.anneal.repeat


def phase_share(plan: Plan, phase: PhaseName, name: str) -> float:
    """Share that a phase gives to a source; 0 where there is no such phase."""
    return sum(part.share for each in plan.phases if each.name == phase for part in each.sources if part.name == name)


def _needs(source: PlannedSource, plan: Plan, held: float) -> _Needs:
    """What validation holds out, and what each phase reads with a surplus of a twentieth and a sequence.

    A source that is read more than once gives its share of the ``held`` tokens, not of all that are read.
    """
    length = plan.model.sequence_length
    main = phase_share(plan, "main", source.name)
    needs = {
        phase.name: part.tokens * _TOKEN_SURPLUS + length + 1
        for phase in plan.phases
        for part in phase.sources
        if part.name == source.name and part.tokens
    }
    validated = plan.evaluation.batches * plan.training.global_batch * main * length
    if plan.continual is not None:  # the same text is measured of a source whatever is replayed of it
        validated = max(validated, plan.evaluation.source_batches * plan.training.global_batch * length)
    return _Needs(
        validation=max(plan.data.validation_fraction * min(source.tokens, held), validated),
        main=needs.get("main", length + 1),
        annealing=needs.get("annealing", 0.0),
    )


def _ranges(documents: _Documents, needs: _Needs, *, repeat: bool) -> dict[str, tuple[int, int]]:
    """Documents [first, last) of each part by name: validation, anneal where it has its own, train."""
    held_out = documents.reaching(needs.validation)
    before = documents.total(0, held_out)
    ranges, first, needed = {"validation": (0, held_out)}, held_out, needs.main
    if repeat:
        needed = max(needs.main, needs.annealing)
    elif needs.annealing:
        apart = held_for_annealing(documents.tokens - before, needs.main, needs.annealing)
        first = documents.reaching(before + apart)
        ranges["anneal"] = (held_out, first)
        before += documents.total(held_out, first)
    ranges["train"] = (first, max(first, documents.reaching(before + needed)))
    return ranges


def _check_enough(source: PlannedSource, plan: Plan, documents: _Documents, ranges: dict[str, tuple[int, int]]) -> None:
    """Every part must hold a sequence; less is told with what was found."""
    least = plan.model.sequence_length + 1
    found = {name: documents.total(*ranges[name]) for name in ranges}
    if min(found.values()) < least:
        anneal = f"{found['anneal']:,} to anneal on, " if "anneal" in found else ""
        raise SixndError(
            f"source '{source.name}' holds {documents.count} documents: {found['train']:,} tokens to train on, {anneal}"
            f"and {found['validation']:,} held out",
            f"each needs at least {least:,}. Give it more text or several files.",
        )


def _write(documents: _Documents, first: int, last: int, prefix: Path, digest: "hashlib._Hash") -> Part:
    """The files of one part, unless they are there; ``digest`` is fed the tokens."""
    content, lengths = hashlib.sha256(), hashlib.sha256()
    for tokens, each in documents.batches(first, last):
        for one, data in ((content, tokens), (digest, tokens), (lengths, each)):
            one.update(data.data.cast("B"))
    content.update(lengths.digest())
    named = prefix.with_name(f"{prefix.name}-{content.hexdigest()[:_DIGEST_DIGITS]}")
    part = Part(named, first, last, documents.total(first, last))
    if not _is_whole(part):
        with indexed_writer(named, documents.dtype) as writer:
            for tokens, each in documents.batches(first, last):
                writer.add_joined(tokens, each)
    return part


def _is_whole(part: Part) -> bool:
    """Whether the files are there and as they were written, every byte of them."""
    if not with_suffix(part.prefix, ".json").is_file():
        return False
    try:
        return verified(part.prefix).tokens == part.tokens
    except InvalidDataError:
        return False
