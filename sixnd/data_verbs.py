"""`sixnd data`: prepare a spec's text, and look at what became of it."""

from pathlib import Path

import click

from sixnd.console import print_json, print_result, text_width, use_color
from sixnd.data_prepare import prepare

_FILE = click.Path(path_type=Path)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


@click.group()
def data() -> None:
    """Prepare text, and look at what became of it."""


@data.command()
@click.argument("subject", metavar="FOLDER_OR_RUN_OR_PREPARED_YAML", type=_FILE)
@click.option("--width", type=click.IntRange(min=40), help="Columns of the printed tables (default: the terminal's).")
@_json_option
def stats(subject: Path, width: int | None, as_json: bool) -> None:
    """Documents and text by source and stage, and why what went.

    Of a working folder of prepared data, of a run, or of the file that `sixnd data prepare` wrote. Tells also what was
    changed in documents that were kept, what could not be read, licences, languages, and how likely
    near-deduplication compares a pair.
    """
    from sixnd.data_text import read_accounts, stats_text
    from sixnd.reports.data_facts import data_facts

    facts = data_facts(read_accounts(subject))
    if as_json:
        print_json(facts.plain())
    else:
        print_result(stats_text(facts, text_width(width), color=use_color()))


data.add_command(prepare)
