"""Tables of prepared data, as terminal, Markdown and HTML all show them."""

from collections.abc import Callable, Iterator

from sixnd.reports import format as fmt
from sixnd.reports.data_documents import DataFacts, SourceAccount, StageAccount
from sixnd.reports.documents import Part
from sixnd.reports.figures import exact
from sixnd.reports.tables import NONE, Line, Table, titled

_LISTED = 12
"""Licences and languages of a source that are listed; of what is rare, only how much it is."""


def data_tables(facts: DataFacts) -> list[Table]:
    """Every table of prepared data that has a row."""
    tables = [
        _stages(facts),
        _removals(facts),
        _changes(facts),
        _damage(facts),
        _licences(facts),
        _languages(facts),
        _curves(facts),
    ]
    return [table for table in tables if table.lines]


def _stages(facts: DataFacts) -> Table:
    lines = [line for source in facts.sources for line in _source_lines(source)]
    return titled(
        "stages",
        "Documents by source and stage",
        "Source|Stage|#Documents|#Kept|#Share|#Text|#Text kept",
        lines,
        facts.summary,
    )


def _source_lines(source: SourceAccount) -> Iterator[Line]:
    for stage in source.stages:
        yield Line(
            (
                source.name,
                stage.name,
                stage.documents_in.text,
                stage.documents_out.text,
                stage.kept.text,
                stage.bytes_in.text,
                stage.bytes_out.text,
            )
        )
    if not source.stages:
        documents, size = source.documents.text, source.bytes.text
        yield Line((source.name, "none", documents, documents, "100.0 %", size, size))


def _each_stage(facts: DataFacts) -> Iterator[tuple[SourceAccount, StageAccount]]:
    return ((source, stage) for source in facts.sources for stage in source.stages)


def _removals(facts: DataFacts) -> Table:
    lines = [
        Line((source.name, stage.name, gone.reason, gone.documents.text, gone.bytes.text))
        for source, stage in _each_stage(facts)
        for gone in stage.removed
    ]
    return titled("removals", "Why documents were removed", "Source|Stage|Why|#Documents|#Text", lines)


def _changes(facts: DataFacts) -> Table:
    lines = [
        Line((source.name, stage.name, change.label, change.figure.text, change.share or NONE))
        for source, stage in _each_stage(facts)
        for change in stage.changed
    ]
    columns = "Source|Stage|What|#Times|#Per 1,000 documents"
    return titled("changes", "What was changed in documents that were kept", columns, lines)


def _damage(facts: DataFacts) -> Table:
    lines = [
        Line((source.name, found.kind, found.count.text, "; ".join(found.first)))
        for source in facts.sources
        for found in source.damage
    ]
    return titled("damage", "What could not be read", "Source|What|#Times|The first places", lines)


def _licences(facts: DataFacts) -> Table:
    return _held("licences", "Licences", "Licence", facts, lambda source: source.licences)


def _languages(facts: DataFacts) -> Table:
    return _held("languages", "Languages", "Language", facts, lambda source: source.languages)


def _held(key: str, title: str, what: str, facts: DataFacts, parts: Callable[[SourceAccount], list[Part]]) -> Table:
    lines = [
        Line((source.name, part.label, part.figure.text, part.share))
        for source in facts.sources
        for part in _most(parts(source))
    ]
    return titled(key, title, f"Source|{what}|#Documents|#Share", lines, "Of the documents that are left.")


def _most(parts: list[Part]) -> list[Part]:
    """The most frequent ones, and the rest in one."""
    shown, rest = parts[:_LISTED], parts[_LISTED:]
    if len(rest) < 2:
        return parts
    together = exact("integer", sum(part.figure.value or 0 for part in rest))
    total = sum(part.figure.value or 0 for part in parts)
    share = fmt.share((together.value or 0) / total)
    return [*shown, Part(label=f"{len(rest)} others", figure=together, share=share)]


def _curves(facts: DataFacts) -> Table:
    similarities = [point.label for point in facts.curves[0].points] if facts.curves else []
    lines = [Line((curve.settings, *(point.text for point in curve.points))) for curve in facts.curves]
    return titled(
        "compared",
        "Near-duplicates: how likely a pair is compared",
        "|".join(["Settings", *(f"#{similarity}" for similarity in similarities)]),
        lines,
        "By the pair's Jaccard similarity s: 1-(1-s^rows)^bands. What is compared is verified before it is removed.",
    )
