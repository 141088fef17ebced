"""`sixnd diff`: two plans or two runs side by side."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sixnd.changes import set_option
from sixnd.console import print_result, tell, text_width, use_color, write_text

if TYPE_CHECKING:
    from sixnd.reports.difference_documents import Difference

_FILE = click.Path(path_type=Path)
_FORMATS = (".html", ".md", ".json")


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
    if output is not None and output.suffix not in _FORMATS:
        raise click.UsageError(f"'{output}': a comparison is one of {', '.join(_FORMATS)}, by its suffix")
    facts = _difference(first, second or first, changes)
    if output is not None:
        write_text(output, _as_file(facts, output.suffix))
        tell(f"wrote {output}")
    elif as_json:
        print_result(_as_file(facts, ".json"))
    else:
        from sixnd.reports.terminal import difference_text

        print_result(difference_text(facts, text_width(width), color=use_color()))


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


def _as_file(facts: "Difference", suffix: str) -> str:
    if suffix == ".json":
        return json.dumps(facts.plain(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if suffix == ".md":
        from sixnd.reports.markdown import difference_markdown

        return difference_markdown(facts)
    from sixnd.reports.html import difference_html

    return difference_html(facts)
