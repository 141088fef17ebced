"""`sixnd data`: prepare a spec's text, and look at what became of it."""

from pathlib import Path

import click

from sixnd.console import print_json, print_result, tell, text_width, use_color
from sixnd.data_prepare import prepare
from sixnd.table_files import output_option, refuse_unknown, width_option, write_tables

_FILE = click.Path(path_type=Path)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


@click.group()
def data() -> None:
    """Prepare text, and look at what became of it."""


@data.command()
@click.argument("subject", metavar="FOLDER_OR_RUN_OR_PREPARED_YAML", type=_FILE)
@width_option
@output_option
@_json_option
def stats(subject: Path, width: int | None, output: Path | None, as_json: bool) -> None:
    """Documents and text by source and stage, and why what went.

    Of a working folder of prepared data, of a run, or of the file that `sixnd data prepare` wrote. Tells also what was
    changed in documents that were kept, what could not be read, licences, languages, and how likely
    near-deduplication compares a pair.
    """
    from sixnd.data_text import read_accounts, stats_report, stats_text
    from sixnd.reports.data_facts import data_facts

    refuse_unknown(output)
    facts = data_facts(read_accounts(subject))
    if output is not None:
        write_tables(output, stats_report(subject, facts))
    elif as_json:
        print_json(facts.plain())
    else:
        print_result(stats_text(facts, text_width(width), color=use_color()))


@data.command()
@click.argument("folder", metavar="FOLDER_OR_PREPARED_YAML", type=_FILE)
@click.option("--source", help="Whose documents (may be left out where there is only one).")
@click.option("--stage", help="Show examples of what this stage removed.")
@click.option("--removed", "reason", help="Show examples of what was removed for this reason, as `stats` names it.")
@click.option("-n", "count", type=click.IntRange(min=1), default=5, show_default=True, help="How many to show.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed draws other documents.")
@click.option("--characters", type=click.IntRange(min=1), default=600, show_default=True, help="Of a kept one to show.")
@_json_option
def sample(
    folder: Path,
    source: str | None,
    stage: str | None,
    reason: str | None,
    count: int,
    seed: int,
    characters: int,
    as_json: bool,
) -> None:
    """Look at documents that were kept, or at what was removed.

    Kept ones are an even draw of the cleaned text. Of removed ones a few of each reason and shard are kept as examples,
    with what was found and what would have been allowed.
    """
    from dataclasses import asdict

    from sixnd.data_text import kept_text, removed_text, source_named, working_folder
    from sixnd.runner.data.sampling import drawn, kept_documents, removed_examples

    place, work = working_folder(folder)
    whose = source_named(work, source)
    if stage is None and reason is None:
        kept, total = kept_documents(place, work, whose, count, seed)
        text, found = kept_text(kept, whose.source.name, total, characters), [asdict(one) for one in kept]
    else:
        examples, total = removed_examples(place, work, whose, stage, reason)
        removed = drawn(examples, count, seed)
        text = removed_text(removed, whose.source.name, total)
        found = [{"stage": one.stage, "reason": one.reason} | one.example.plain() for one in removed]
    if as_json:
        print_json({"source": whose.source.name, "of": total, "documents": found})
    else:
        print_result(text)


@data.command()
@click.argument("folder", metavar="FOLDER_OR_PREPARED_YAML", type=_FILE)
@width_option
@output_option
@_json_option
def audit(folder: Path, width: int | None, output: Path | None, as_json: bool) -> None:
    """Say what is left that may not belong there.

    Licences that ask something or are unknown, languages, exact and near duplicates within and across sources, e-mail
    and IP addresses. Reads all cleaned documents; what it finds does not change the exit code.
    """
    from sixnd.data_text import audit_report, audit_text, working_folder
    from sixnd.runner.data.audit import audited

    refuse_unknown(output)
    found = audited(*working_folder(folder), tell)
    if output is not None:
        write_tables(output, audit_report(folder, found))
    elif as_json:
        print_json(found.plain())
    else:
        print_result(audit_text(found, text_width(width), color=use_color()))


data.add_command(prepare)
