"""Tables and findings of an audit of prepared data."""

from collections.abc import Iterable

from sixnd.reports import format as fmt
from sixnd.reports.tables import NONE, Line, Table, titled
from sixnd.specs.data_audit import DataAudit, Duplicates, SourceAudit

_LISTED = 8
_TERMS = {"copyleft": "copyleft", "restricted": "restricted", "unknown": "no known"}


def findings(audit: DataAudit) -> list[str]:
    """What a reader should look into, in sentences; none where nothing was found."""
    found = [sentence for source in audit.sources for sentence in _of_source(source)]
    return [*found, *(_of_duplicates(pair) for pair in audit.duplicates), *_without_language(audit)]


def _of_source(source: SourceAudit) -> Iterable[str]:
    for kind, words in _TERMS.items():
        held = [licence for licence in source.licences if licence.kind == kind]
        if held:
            named = "; ".join(licence.licence or "none stated" for licence in held[:_LISTED])
            more = f" and {len(held) - _LISTED} more" if len(held) > _LISTED else ""
            count = sum(licence.documents for licence in held)
            yield f"{source.name}: {_documents(count)} under {words} licences: {named}{more}"
    if source.documents_with_addresses:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in source.addresses.items())
        yield (
            f"{source.name}: {_documents(source.documents_with_addresses)} with addresses of people or machines "
            f"({kinds}); the stage scrub-pii takes them out"
        )


def _without_language(audit: DataAudit) -> list[str]:
    names = [source.name for source in audit.sources if source.documents and not source.languages]
    return [f"{', '.join(names)}: languages are not known; the stage language identifies them"] if names else []


def _of_duplicates(pair: Duplicates) -> str:
    where = "earlier ones" if pair.of == pair.source else f"documents of {pair.of}"
    stage = "stages exact-dedup and near-dedup" if pair.of == pair.source else "`data.across`"
    left = f"{pair.exact:,} exact and {pair.near:,} near duplicates of {where} are left"
    return f"{pair.source}: {left}; {stage} would take them out"


def _documents(count: int) -> str:
    return f"{count:,} document{'' if count == 1 else 's'}"


def audit_tables(audit: DataAudit) -> list[Table]:
    """Every table of an audit that has a row."""
    tables = [_overview(audit), _duplicates(audit), _licences(audit), _languages(audit)]
    return [table for table in tables if table.lines]


def _overview(audit: DataAudit) -> Table:
    lines = [
        Line(
            (
                source.name,
                f"{source.documents:,}",
                fmt.memory(source.bytes),
                f"{source.documents_with_addresses:,}",
                ", ".join(f"{count:,} {kind}" for kind, count in source.addresses.items()) or NONE,
            )
        )
        for source in audit.sources
    ]
    columns = "Source|#Documents|#Text|#With addresses|Which"
    return titled("overview", "What is left", columns, lines)


def _duplicates(audit: DataAudit) -> Table:
    lines = [
        Line((pair.source, pair.of, f"{pair.exact:,}", f"{pair.near:,}", pair.examples[0])) for pair in audit.duplicates
    ]
    columns = "Source|Of earlier ones in|#Exact|#Near|For example"
    return titled("duplicates", "Duplicates left", columns, lines, f"Near: {audit.near_settings}.")


def _licences(audit: DataAudit) -> Table:
    lines = [
        Line((source.name, held.licence or "not stated", held.kind, f"{held.documents:,}"))
        for source in audit.sources
        for held in source.licences[:_LISTED]
    ]
    note = f"The {_LISTED} most frequent of each source. Kinds go by the words of the licence: a first sort, no advice."
    return titled("licences", "Licences", "Source|Licence|Kind|#Documents", lines, note)


def _languages(audit: DataAudit) -> Table:
    lines = [
        Line((source.name, language, f"{count:,}", fmt.share(count / source.documents)))
        for source in audit.sources
        for language, count in list(source.languages.items())[:_LISTED]
    ]
    note = f"The {_LISTED} most frequent of each source, as stated or identified."
    return titled("languages", "Languages", "Source|Language|#Documents|#Share", lines, note)
