"""What the verbs of `sixnd data` read, and what they print."""

import textwrap
from pathlib import Path

from sixnd.console import tell
from sixnd.reporting import read_run
from sixnd.reports.data_audit_tables import audit_tables, findings
from sixnd.reports.data_documents import DataFacts
from sixnd.reports.data_facts import Account, run_accounts
from sixnd.reports.data_tables import data_tables
from sixnd.reports.table_report import TableReport
from sixnd.reports.terminal import safe_text, tables_text
from sixnd.runner.data.document import Document
from sixnd.runner.data.sampling import RemovedExample
from sixnd.runner.data.survey import Surveyed, survey
from sixnd.runner.data.work import Work, WorkSource, read_work
from sixnd.specs.data_audit import DataAudit
from sixnd.specs.errors import SixndError
from sixnd.specs.load import load_prepared

_NOTHING = "Nothing was found: no duplicates, no addresses, and only permissive licences."


def read_accounts(subject: Path) -> list[Account]:
    """Accounts of all sources: of a run folder, of a working folder, or of the file that names one.

    Raises ``SixndError`` where it is none of them, or nothing is prepared in it.
    """
    if (subject / "record.jsonl").is_file():
        accounts = run_accounts(*read_run(subject))
        if not accounts:
            raise SixndError(f"{subject}: its data was not prepared yet", "`sixnd run` does it first of all")
        return accounts
    folder, work = working_folder(subject)
    found = survey(folder, work)
    for name in {source.source.name for source in work.sources} - {one.name for one in found}:
        tell(f"note: {name}: no shard is prepared to its end yet")
    return [_told(one) for one in found]


def working_folder(subject: Path) -> tuple[Path, Work]:
    """The working folder that ``subject`` is or that a file tells of, and its plan of work."""
    if subject.is_dir():
        return subject, read_work(subject)
    told = Path(load_prepared(subject).folder)
    folder = told if told.is_dir() else subject.parent  # a folder may have been moved, with its document in it
    return folder, read_work(folder)


def _told(found: Surveyed) -> Account:
    if found.shards < found.of_shards:
        tell(
            f"note: of {found.name}, {found.shards} of {found.of_shards} shards are prepared; what is told is of those"
        )
    held = found.held
    return Account(
        name=found.name,
        stages=found.stages.stages,
        damage=found.stages.damage,
        licences=held.licences,
        languages=held.languages,
        documents=held.documents,
        bytes=held.bytes,
        tokens=held.tokens or None,
        own_stages=found.own_stages,
    )


def source_named(work: Work, name: str | None) -> WorkSource:
    """The source of that name, or the only one; raises ``SixndError`` with the names that there are."""
    names = [source.source.name for source in work.sources]
    if name is None and len(names) == 1:
        return work.sources[0]
    if name not in names:
        asked = "name one with --source" if name is None else f"there is no source '{name}'"
        raise SixndError(asked, f"there are {', '.join(names)}")
    return work.source(name)


def kept_text(found: list[Document], source: str, total: int, characters: int) -> str:
    """Documents that were kept, each cut after so many characters."""
    head = f"{source}: {len(found)} of {total:,} documents that were kept"
    parts = [
        _shown(
            f"{document.id} ({document.licence or 'no licence stated'}"
            f"{f', {document.language}' if document.language else ''}, {len(document.text):,} characters)",
            document.text[:characters] + ("…" if len(document.text) > characters else ""),
        )
        for document in found
    ]
    return "\n\n".join([head, *parts])


def removed_text(found: list[RemovedExample], source: str, total: int) -> str:
    """Documents that were removed, and why; of each only its beginning is kept."""
    head = f"{source}: {len(found)} of {total:,} documents that were removed; of each, its beginning"
    parts = [
        _shown(f"{one.example.id}: {one.stage}, {one.reason} ({one.example.detail})", one.example.excerpt)
        for one in found
    ]
    return "\n\n".join([head, *parts])


def _shown(title: str, text: str) -> str:
    """A text under its title, set in; control characters are shown, not sent to the terminal."""
    lines = safe_text(text).split("\n")
    return "\n".join([" ".join(safe_text(title).split()), *(f"  │ {line}".rstrip() for line in lines)])


def audit_report(folder: Path, audit: DataAudit) -> TableReport:
    """The same as a page or Markdown shows it."""
    told = findings(audit)
    verdict = f"{len(told)} finding{'' if len(told) == 1 else 's'} to look into." if told else _NOTHING
    name = folder.resolve().name
    return TableReport("Audit of prepared data", name, verdict, told, audit_tables(audit), audit.plain())


def stats_report(subject: Path, facts: DataFacts) -> TableReport:
    """Documents by source and stage, as a page or Markdown shows them."""
    names = ", ".join(source.name for source in facts.sources)
    verdict = f"What became of the documents of {names}."
    return TableReport("Prepared data", subject.resolve().name, verdict, [], data_tables(facts), facts.plain())


def audit_text(audit: DataAudit, width: int, *, color: bool) -> str:
    """What an audit found, in sentences, and then its tables."""
    told = findings(audit) or [_NOTHING]
    lines = [textwrap.fill(f"- {safe_text(one)}", width, subsequent_indent="  ") for one in told]
    return "\n".join([*lines, "", tables_text(audit_tables(audit), width, color=color)])


def stats_text(facts: DataFacts, width: int, *, color: bool) -> str:
    """The tables of prepared data, ``width`` columns wide."""
    return tables_text(data_tables(facts), width, color=color)
