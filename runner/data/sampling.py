"""Documents of prepared data to look at: an even draw of those kept, or of the examples of those removed."""

import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from sixnd.runner.data.accounts import shard_account
from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.document import Document
from sixnd.runner.data.final_documents import final_documents
from sixnd.runner.data.survey import whole_shards
from sixnd.runner.data.work import Work, WorkSource
from sixnd.specs.data_result import Example, StagesResult
from sixnd.specs.errors import SixndError


@dataclass(frozen=True)
class RemovedExample:
    """One removed document that the accounts kept an excerpt of."""

    stage: str
    reason: str
    example: Example


def kept_documents(folder: Path, work: Work, source: WorkSource, count: int, seed: int) -> tuple[list[Document], int]:
    """An even draw of a source's cleaned documents in the order of the corpus, and of how many it is.

    Reads only shards that were drawn from, where stages have counted their documents.
    """
    sizes = [_documents_in(folder, work, source, shard) for shard in range(whole_shards(folder, work, source))]
    ends = list(accumulate(sizes))
    total = ends[-1] if ends else 0
    drawn: dict[int, list[int]] = {}
    for place in sorted(random.Random(seed).sample(range(total), min(count, total))):  # noqa: S311 - no secret
        shard = bisect_right(ends, place)
        drawn.setdefault(shard, []).append(place - (ends[shard] - sizes[shard]))
    found = [document for shard, places in drawn.items() for document in _at(folder, work, source, shard, places)]
    return found, total


def removed_examples(
    folder: Path, work: Work, source: WorkSource, stage: str | None, reason: str | None
) -> tuple[list[RemovedExample], int]:
    """Every example that the shards' accounts keep of what a stage removed, or for a reason; and how many went.

    Raises ``SixndError`` with what there is, where there is no such stage or nothing went for that reason.
    """
    stages = [each for account in _accounts(folder, work, source) for each in account.stages]
    _check_named("stage", stage, [each.name for each in stages], source)
    _check_named("reason", reason, [gone.reason for each in stages for gone in each.removed], source)
    gone = [
        (each.name, removed)
        for each in stages
        for removed in each.removed
        if stage in (None, each.name) and reason in (None, removed.reason)
    ]
    examples = [RemovedExample(name, removed.reason, example) for name, removed in gone for example in removed.examples]
    return examples, sum(removed.documents for _, removed in gone)


def _accounts(folder: Path, work: Work, source: WorkSource) -> Iterator[StagesResult]:
    for shard in range(whole_shards(folder, work, source)):
        for segment in work.segments_of(source.source.name):
            yield shard_account(folder, segment, shard)


def _check_named(what: str, asked: str | None, known: list[str], source: WorkSource) -> None:
    if asked is None or asked in known:
        return
    there = ", ".join(dict.fromkeys(known)) or "none"
    raise SixndError(f"{source.source.name} has no {what} '{asked}' in its account", f"there is: {there}")


def drawn(examples: list[RemovedExample], count: int, seed: int) -> list[RemovedExample]:
    """Some of them, the same ones for the same seed."""
    return random.Random(seed).sample(examples, min(count, len(examples)))  # noqa: S311 - no secret


def _documents_in(folder: Path, work: Work, source: WorkSource, shard: int) -> int:
    segments = work.segments_of(source.source.name)
    stages = shard_account(folder, segments[-1], shard).stages if segments else []
    if stages:
        return stages[-1].documents_out
    return sum(1 for _ in final_documents(folder, work, source, shard, DamageLog()))


def _at(folder: Path, work: Work, source: WorkSource, shard: int, places: list[int]) -> Iterator[Document]:
    wanted = iter(places)
    ahead = next(wanted, None)
    for place, document in enumerate(final_documents(folder, work, source, shard, DamageLog())):
        if place == ahead:
            yield document
            ahead = next(wanted, None)
            if ahead is None:
                return
