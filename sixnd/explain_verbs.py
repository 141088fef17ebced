"""`sixnd explain`: why one thing in a plan is as it is."""

from pathlib import Path

import click

from sixnd.changes import set_option
from sixnd.console import print_json, print_result, text_width

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("document", metavar="SPEC_OR_PLAN", type=_FILE)
@click.argument("name", required=False)
@click.option(
    "--width", type=click.IntRange(min=40), metavar="COLUMNS", help="Columns of the text (default: the terminal's)."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@set_option
def explain(document: Path, name: str | None, width: int | None, as_json: bool, changes: tuple[str, ...]) -> None:
    """Derive one number of a plan, step by step.

    NAME is N, D, C, loss, batch, lr, layout, law, memory, time, money, or any decision or estimate of the plan;
    without one, all that can be explained is listed. NAME may also be a layout, as "TP8 PP8 MBS2": the rule or the
    bytes that reject it, or by how much it loses. A spec is planned on the way.
    """
    from dataclasses import asdict

    from sixnd.planner.explain import explain as explained
    from sixnd.planner.explain import explainable
    from sixnd.planning import plan_of, refuse_edited
    from sixnd.specs.errors import SixndError

    plan = plan_of(document, changes)
    if name is None:
        known = explainable(plan)
        listed = "\n".join(f"{field}  {', '.join(short)}".rstrip() for field, short in known.items())
        return print_json(known) if as_json else print_result(listed)
    try:
        found = explained(plan, name)
    except SixndError as error:
        raise click.UsageError(str(error)) from None
    except (AssertionError, ArithmeticError, LookupError, ValueError):
        refuse_edited(plan, document)  # no derivation leads to numbers that are not the planner's
        raise
    if as_json:
        return print_json(asdict(found))
    from sixnd.explain_text import explanation_text

    return print_result(explanation_text(found, text_width(width)))
