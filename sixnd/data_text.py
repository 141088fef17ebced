"""What the verbs of `sixnd data` read, and what they print."""

from pathlib import Path

from sixnd.console import tell
from sixnd.reports.data_documents import DataFacts
from sixnd.reports.data_facts import Account
from sixnd.reports.data_tables import data_tables
from sixnd.reports.terminal import tables_text
from sixnd.runner.data.survey import Surveyed, survey
from sixnd.runner.data.work import Work, read_work
from sixnd.specs.errors import SixndError
from sixnd.specs.load import load_prepared
from sixnd.specs.record import DataPrepared, read_record


def read_accounts(subject: Path) -> list[Account]:
    """Accounts of all sources: of a run folder, of a working folder, or of the file that names one.

    Raises ``SixndError`` where it is none of them, or nothing is prepared in it.
    """
    if (subject / "record.jsonl").is_file():
        prepared = read_record(subject / "record.jsonl").last(DataPrepared)
        if prepared is None:
            raise SixndError(f"{subject}: its data was not prepared yet; `sixnd run` does it first of all")
        return [Account.of_run(data) for data in prepared.sources]
    folder, work = working_folder(subject)
    return [_told(found) for found in survey(folder, work)]


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
    )


def stats_text(facts: DataFacts, width: int, *, color: bool) -> str:
    """The tables of prepared data, ``width`` columns wide."""
    return tables_text(data_tables(facts), width, color=color)
