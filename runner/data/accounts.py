"""Accounts of shards and segments put together: one for a source, the same however its documents were cut."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from sixnd.runner.data.pipeline import EXAMPLES, draw
from sixnd.runner.data.work import Segment, Work, WorkSource, shard_path
from sixnd.specs.data_result import DamageFound, RemovedFor, StageResult, StagesResult
from sixnd.specs.document import sha256_of

_FIRST = 5
_COUNTS = ("documents_in", "bytes_in", "documents_out", "bytes_out")


def account_of(folder: Path, work: Work, source: WorkSource, shards: int) -> StagesResult:
    """What became of the documents in the first ``shards`` of a source, stage by stage."""
    parts = [
        _together([shard_account(folder, segment, shard) for shard in range(shards)])
        for segment in work.segments_of(source.source.name)
    ]
    stages = [stage for part in parts for stage in part.stages]
    return StagesResult(
        source=source.source.name,
        settings_sha256=sha256_of([stage.settings_sha256 for stage in stages]),
        seed=parts[0].seed if parts else 0,
        stages=stages,
        damage=damage_together([source.damage, *(part.damage for part in parts)]),
    )


def shard_account(folder: Path, segment: Segment, shard: int) -> StagesResult:
    """What became of the documents of one shard in one segment."""
    return StagesResult.model_validate_json(shard_path(folder / segment.folder, shard, ".json").read_bytes())


def summed(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    """Counts added up, by name."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))


def damage_together(found: Iterable[list[DamageFound]]) -> list[DamageFound]:
    """Damage added up by kind, with the first few places of each."""
    kinds: dict[str, list[DamageFound]] = {}
    for one in (damage for part in found for damage in part):
        kinds.setdefault(one.kind, []).append(one)
    return [
        DamageFound(
            kind=kind,
            count=sum(one.count for one in parts),
            first=[place for one in parts for place in one.first][:_FIRST],
        )
        for kind, parts in sorted(kinds.items())
    ]


def _together(shards: Sequence[StagesResult]) -> StagesResult:
    """Shards of one segment."""
    first = shards[0]
    return first.model_copy(
        update={
            "stages": [_stage([shard.stages[i] for shard in shards], first.seed) for i in range(len(first.stages))],
            "damage": damage_together(shard.damage for shard in shards),
        }
    )


def _stage(parts: Sequence[StageResult], seed: int) -> StageResult:
    removed: dict[str, list[RemovedFor]] = {}
    for one in (gone for part in parts for gone in part.removed):
        removed.setdefault(one.reason, []).append(one)
    reasons = [_reason(same, seed) for same in removed.values()]
    return parts[0].model_copy(
        update={
            **{name: sum(getattr(part, name) for part in parts) for name in _COUNTS},
            "edits": summed(part.edits for part in parts),
            "removed": sorted(reasons, key=lambda one: (-one.documents, one.reason)),
        }
    )


def _reason(parts: Sequence[RemovedFor], seed: int) -> RemovedFor:
    """One reason; its examples are those that a single pass over all shards would have drawn."""
    examples = [one for part in parts for one in part.examples]
    examples.sort(key=lambda one: (-draw(one.id, seed), one.id, one.detail, one.excerpt), reverse=True)
    return RemovedFor(
        reason=parts[0].reason,
        documents=sum(part.documents for part in parts),
        bytes=sum(part.bytes for part in parts),
        examples=examples[:EXAMPLES],
    )
