"""Reports of findings and tables as files, and as wide as asked: of prepared data, of an audit, of tokenizers."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sixnd.console import refuse_format, tell, write_text

if TYPE_CHECKING:
    from sixnd.reports.table_report import TableReport

_FORMATS = (".html", ".md", ".json")
output_option = click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write .html, .md or .json instead of printing."
)
width_option = click.option(
    "--width",
    type=click.IntRange(min=40),
    metavar="COLUMNS",
    help="Columns of the printed tables (default: the terminal's).",
)


def refuse_unknown(output: Path | None) -> None:
    """Refuse a file of another format, before anything is read."""
    if output is not None:
        refuse_format(output, _FORMATS, "a report")


def write_tables(output: Path, made: "TableReport") -> None:
    """Write the report in the format of the file's suffix."""
    from sixnd.reports.html import tables_html
    from sixnd.reports.markdown import tables_markdown

    if output.suffix == ".json":
        write_text(output, json.dumps(made.facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        write_text(output, tables_html(made) if output.suffix == ".html" else tables_markdown(made))
    tell(f"wrote {output}")
