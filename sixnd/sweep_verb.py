"""`sixnd sweep`: one spec planned with several values of some of its fields, side by side."""

import csv
import io
import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from sixnd.changes import set_option
from sixnd.console import print_json, print_result, tell, text_width, write_text

if TYPE_CHECKING:
    from sixnd.reports.documents import Figure
    from sixnd.reports.tables import Table

_MOST = 1000
_WIDE, _WIDE_ONLY = 100, {"tokens", "memory_bytes", "mfu"}
"""Columns of a terminal that has room for all numbers, and those that a narrower one does without."""


class Point(NamedTuple):
    """One combination of values, and what became of it."""

    values: dict[str, str]
    layout: str
    """Of the plan; empty without one."""
    figures: "dict[str, Figure]"
    """A plan's key numbers; none without a plan."""
    why_not: str


class Number(NamedTuple):
    """What is compared: its name in files, with its unit, its heading, and the key number of a plan's report."""

    name: str
    label: str
    key: str


_NUMBERS = (
    Number("params", "N", "params"),
    Number("tokens", "D", "tokens"),
    Number("loss", "Loss", "loss"),
    Number("wall_time_s", "Wall time", "wall_time"),
    Number("money_usd", "Cost", "money"),
    Number("memory_bytes", "Memory", "memory"),
    Number("mfu", "MFU", "mfu"),
)


@click.command()
@click.argument("spec", type=click.Path(path_type=Path))
@click.argument("fields", nargs=-1, required=True, metavar="PATH=VALUE,VALUE…")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the table here, as .csv.")
@click.option(
    "--width", type=click.IntRange(min=40), metavar="COLUMNS", help="Columns of the table (default: the terminal's)."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@set_option
def sweep(
    spec: Path, fields: tuple[str, ...], output: Path | None, width: int | None, as_json: bool, changes: tuple[str, ...]
) -> int:
    """Plan a spec with several values of any field, side by side.

    PATH=VALUE,VALUE… is a field as --set names it, e.g. budget.time='7 days,14 days,28 days'; of several fields every
    combination is planned. A combination that no plan satisfies is a row that says why not.
    """
    from sixnd.reports.terminal import tables_text

    axes = [_axis(field) for field in fields]
    count = math.prod(len(values) for _, values in axes)
    if count > _MOST:
        raise click.UsageError(f"{count:,} combinations; at most {_MOST:,} are planned at once")
    points = _planned(spec, axes, changes, count)
    rows = [_row(point) for point in points]
    if output is not None:
        write_text(output, _as_csv(rows))
        tell(f"wrote {output}")
    if as_json:
        print_json(rows)
    elif output is None:
        columns = text_width(width)
        print_result(tables_text([_table(points, columns)], columns))
    return 0 if any(point.figures for point in points) else 4


def _axis(field: str) -> tuple[str, list[str]]:
    """A field and its values; a comma inside brackets, braces or quotes does not part two."""
    path, equals, text = field.partition("=")
    values = [value.strip() for value in _parted(text)]
    if not equals or not path or not all(values):
        raise click.UsageError(f"'{field}': expected PATH=VALUE,VALUE…, e.g. budget.time='7 days,14 days'")
    return path, values


def _parted(text: str) -> list[str]:
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        depth += (character in "[{") - (character in "]}")
        if character == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _planned(spec: Path, axes: Sequence[tuple[str, list[str]]], changes: Sequence[str], count: int) -> list[Point]:
    """Every combination, the last field varying fastest; mistakes that all have are raised."""
    from sixnd.planning import planned
    from sixnd.reports.plan_facts import plan_facts
    from sixnd.specs.errors import InfeasibleError, InvalidDocumentError
    from sixnd.specs.load import load_budget

    points: list[Point] = []
    mistakes: list[InvalidDocumentError] = []
    for number, combination in enumerate(itertools.product(*(values for _, values in axes)), 1):
        values = {path: value for (path, _), value in zip(axes, combination, strict=True)}
        own = [f"{path}={value}" for path, value in values.items()]
        tell(f"planning {number} of {count}: {', '.join(own)}")
        every = [*changes, *own]
        try:
            plan = planned(load_budget(spec, every), spec, every)
            figures = {number.key: number.figure for number in plan_facts(plan).key_numbers}
            points.append(Point(values, plan.layout.label(), figures, ""))
        except InfeasibleError as error:
            points.append(Point(values, "", {}, str(error).splitlines()[0]))
        except InvalidDocumentError as error:
            mistakes.append(error)
            points.append(Point(values, "", {}, error.problems[0].sentence))
    if len(mistakes) == count:
        raise mistakes[0]
    return points


def _row(point: Point) -> dict[str, Any]:
    """The combination as plain data; what no plan has is none."""
    found = point.figures
    numbers = {number.name: found[number.key].value if found else None for number in _NUMBERS}
    return {**point.values, **numbers, "layout": point.layout or None, "why_not": point.why_not or None}


def _as_csv(rows: Sequence[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _short(paths: Sequence[str]) -> list[str]:
    """The fields' last names; whole where two would have the same."""
    last = [path.rpartition(".")[2] for path in paths]
    return [name if last.count(name) == 1 else path for name, path in zip(last, paths, strict=True)]


def _table(points: Sequence[Point], width: int) -> "Table":
    from sixnd.reports.tables import NONE, Line, figure_text, titled

    numbers = [number for number in _NUMBERS if width >= _WIDE or number.name not in _WIDE_ONLY]

    def cells(point: Point) -> Iterator[str]:
        yield from point.values.values()
        for number in numbers:
            yield figure_text(point.figures.get(number.key)).removesuffix(" nats")
        yield point.layout or NONE

    heads = "|".join([*_short(list(points[0].values)), *(f"#{number.label}" for number in numbers), "Layout"])
    why_not = [
        f"No plan with {', '.join(f'{path}={value}' for path, value in point.values.items())}: {point.why_not}"
        for point in points
        if point.why_not
    ]
    notes = ["Estimates without their intervals; sixnd plan SPEC --set PATH=VALUE tells each whole.", *why_not]
    return titled("sweep", "Plans side by side", heads, [Line(tuple(cells(point))) for point in points], *notes)
