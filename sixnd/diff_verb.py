"""`sixnd diff`: plans or runs side by side."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sixnd.changes import set_option
from sixnd.console import print_result, refuse_format, text_width, use_color, write_report

if TYPE_CHECKING:
    from sixnd.reports.difference_documents import Difference

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("subjects", metavar="FIRST [SECOND]...", type=_FILE, nargs=-1, required=True)
@click.option("-o", "--output", type=_FILE, help="Write .html, .md or .json instead of printing.")
@click.option(
    "--width",
    type=click.IntRange(min=40),
    metavar="COLUMNS",
    help="Columns of the printed text (default: the terminal's).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@set_option
def diff(
    subjects: tuple[Path, ...], output: Path | None, width: int | None, as_json: bool, changes: tuple[str, ...]
) -> None:
    """Show what differs between plans or runs, two or more.

    Each is a spec, a plan or a run folder. Run folders are compared by what became of them, with their curves in one
    chart; anything else by what is planned. Without SECOND, the spec FIRST is held against itself with --set.
    """
    if len(subjects) == 1 and not changes:
        raise click.UsageError("name a second spec, plan or run; or change the first one by --set")
    if len(subjects) > 2 and changes:
        raise click.UsageError("--set changes the second of two; give fewer, or `sixnd sweep` several values")
    from sixnd.reporting import FORMATS_OF_MOST, facts_json, report_text

    if output is not None:
        refuse_format(output, FORMATS_OF_MOST, "a comparison")
    facts = _difference(subjects if len(subjects) > 1 else subjects * 2, changes)
    if output is not None:
        write_report(output, facts)
    elif as_json:
        print_result(facts_json(facts))
    else:
        print_result(report_text(facts, text_width(width), use_color()))


def _difference(subjects: tuple[Path, ...], changes: tuple[str, ...]) -> "Difference":
    from sixnd.planning import plan_of
    from sixnd.reporting import read_run
    from sixnd.reports.difference import plan_difference, run_difference
    from sixnd.specs.load import load_plan

    if all(subject.is_dir() for subject in subjects) and not changes:
        return run_difference(*(read_run(folder) for folder in subjects))
    *others, last = subjects
    plans = [load_plan(one / "plan.yaml") if one.is_dir() else plan_of(one) for one in others]
    changed = load_plan(last / "plan.yaml") if last.is_dir() and not changes else plan_of(last, changes)
    return plan_difference(*plans, changed)
