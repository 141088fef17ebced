"""`sixnd diff`: two plans or two runs side by side."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sixnd.changes import set_option
from sixnd.console import print_result, refuse_format, text_width, use_color, write_report

if TYPE_CHECKING:
    from sixnd.reports.difference_documents import Difference

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("first", type=_FILE)
@click.argument("second", type=_FILE, required=False)
@click.option("-o", "--output", type=_FILE, help="Write .html, .md or .json instead of printing.")
@click.option("--width", type=click.IntRange(min=40), help="Columns of the printed text (default: the terminal's).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@set_option
def diff(
    first: Path, second: Path | None, output: Path | None, width: int | None, as_json: bool, changes: tuple[str, ...]
) -> None:
    """Show what differs between two plans or runs.

    FIRST and SECOND are specs, plans or run folders. Two run folders are compared by what became of them, anything
    else by what is planned. Without SECOND, the spec FIRST is held against itself with --set.
    """
    if second is None and not changes:
        raise click.UsageError("name a second spec, plan or run; or change the first one by --set")
    from sixnd.reporting import FORMATS_OF_MOST, facts_json, report_text

    if output is not None:
        refuse_format(output, FORMATS_OF_MOST, "a comparison")
    facts = _difference(first, second or first, changes)
    if output is not None:
        write_report(output, facts)
    elif as_json:
        print_result(facts_json(facts))
    else:
        print_result(report_text(facts, text_width(width), use_color()))


def _difference(first: Path, second: Path, changes: tuple[str, ...]) -> "Difference":
    from sixnd.planning import plan_of
    from sixnd.reporting import read_run
    from sixnd.reports.difference import plan_difference, run_difference
    from sixnd.specs.load import load_plan

    if first.is_dir() and second.is_dir() and not changes:
        return run_difference(read_run(first), read_run(second))
    one = load_plan(first / "plan.yaml") if first.is_dir() else plan_of(first)
    other = load_plan(second / "plan.yaml") if second.is_dir() and not changes else plan_of(second, changes)
    return plan_difference(one, other)
