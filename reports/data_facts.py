"""From the accounts of sources to what reports show of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sixnd.reports import format as fmt
from sixnd.reports.data_documents import (
    Curve,
    DamageKind,
    DataFacts,
    Removal,
    RemovalExample,
    SourceAccount,
    StageAccount,
)
from sixnd.reports.documents import Pair, Part
from sixnd.reports.figures import exact
from sixnd.specs.data_result import DamageFound, RemovedFor, StageResult
from sixnd.specs.plan import Plan
from sixnd.specs.record import DataPrepared, RunRecord, SourceData
from sixnd.specs.text_filters import NearDedup

_SIMILARITIES = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


@dataclass(frozen=True)
class Account:
    """What is known of one prepared source."""

    name: str
    stages: Sequence[StageResult]
    damage: Sequence[DamageFound]
    licences: Mapping[str, int]
    """Documents that are left, by licence."""
    languages: Mapping[str, int]
    documents: int
    """That are left."""
    bytes: int
    tokens: int | None
    own_stages: int
    """So many stages are the source's own; those after them ran over all sources together."""

    @classmethod
    def of_run(cls, data: SourceData, own_stages: int) -> "Account":
        """As a run's record has it."""
        return cls(
            name=data.name,
            stages=data.stages,
            damage=data.damage,
            licences=data.licences,
            languages=data.languages,
            documents=data.documents,
            bytes=data.bytes,
            tokens=data.train_tokens + data.validation_tokens,
            own_stages=own_stages,
        )


def run_accounts(plan: Plan, record: RunRecord) -> list[Account]:
    """Accounts of a run's sources; none before its data is prepared."""
    prepared = record.last(DataPrepared)
    own = {source.name: len(source.stages) for source in plan.data.sources}
    found = [] if prepared is None else prepared.sources
    return [Account.of_run(data, own.get(data.name, len(data.stages))) for data in found]


def data_facts(accounts: Sequence[Account]) -> DataFacts:
    """Everything a report shows of these sources."""
    return DataFacts(
        summary=_summary(accounts),
        sources=[_source(account) for account in accounts],
        curves=_curves(accounts),
    )


def _summary(accounts: Sequence[Account]) -> str:
    if not accounts:
        return ""
    read = [_read(account) for account in accounts]
    documents, size = sum(each for each, _ in read), sum(each for _, each in read)
    left, left_bytes = sum(account.documents for account in accounts), sum(account.bytes for account in accounts)
    if (documents, size) == (left, left_bytes):
        return f"{left:,} documents with {fmt.memory(left_bytes)} were read, and all are left as they were."
    return (
        f"{documents:,} documents with {fmt.memory(size)} were read; {left:,} ({_share(left, documents)}) with "
        f"{fmt.memory(left_bytes)} ({_share(left_bytes, size)}) are left."
    )


def _share(part: int, whole: int) -> str:
    return fmt.share(part / whole) if whole else "none"


def _read(account: Account) -> tuple[int, int]:
    """Documents and bytes before the first stage."""
    first = account.stages[0] if account.stages else None
    return (account.documents, account.bytes) if first is None else (first.documents_in, first.bytes_in)


def _source(account: Account) -> SourceAccount:
    return SourceAccount(
        name=account.name,
        documents=exact("integer", account.documents),
        bytes=exact("memory", account.bytes),
        tokens=None if account.tokens is None else exact("count", account.tokens),
        stages=[_stage(stage, i >= account.own_stages) for i, stage in enumerate(account.stages)],
        damage=[
            DamageKind(kind=found.kind, count=exact("integer", found.count), first=found.first)
            for found in account.damage
        ],
        licences=_parts(account.licences),
        languages=_parts(account.languages),
    )


def _stage(stage: StageResult, across: bool) -> StageAccount:
    out = stage.documents_out
    return StageAccount(
        name=f"{stage.name} across sources" if across else stage.name,
        documents_in=exact("integer", stage.documents_in),
        documents_out=exact("integer", out),
        kept=exact("share", out / stage.documents_in if stage.documents_in else 1.0),
        bytes_in=exact("memory", stage.bytes_in),
        bytes_out=exact("memory", stage.bytes_out),
        removed=[_removal(removed) for removed in stage.removed],
        changed=[
            Part(label=what, figure=exact("integer", count), share=fmt.significant(1000 * count / out) if out else "")
            for what, count in stage.edits.items()
        ],
    )


def _removal(removed: RemovedFor) -> Removal:
    return Removal(
        reason=removed.reason,
        documents=exact("integer", removed.documents),
        bytes=exact("memory", removed.bytes),
        examples=[RemovalExample(**example.model_dump()) for example in removed.examples],
    )


def _parts(counts: Mapping[str, int]) -> list[Part]:
    total = sum(counts.values())
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [
        Part(label=label or "not stated", figure=exact("integer", count), share=fmt.share(count / total))
        for label, count in ordered
    ]


def _curves(accounts: Sequence[Account]) -> list[Curve]:
    """One for each set of settings that some source was deduplicated by."""
    stages = [stage for account in accounts for stage in account.stages if stage.name == "near-dedup"]
    return list({curve.settings: curve for stage in stages if (curve := _curve(stage)) is not None}.values())


def _curve(stage: StageResult) -> Curve | None:
    known = {name: value for name, value in stage.settings.items() if name in NearDedup.model_fields}
    if not {"bands", "rows", "ngram", "threshold", "seed"} <= known.keys():
        return None
    settings = NearDedup.model_validate(known)
    return Curve(
        settings=(
            f"{settings.bands} bands of {settings.rows} rows, word {settings.ngram}-grams, from {settings.threshold:g}"
        ),
        points=[
            Pair(label=f"{similarity:g}", text=fmt.share(chance))
            for similarity, chance in settings.probability_curve(_SIMILARITIES)
        ],
    )
