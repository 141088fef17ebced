"""`sixnd show`: a spec as it is read, with where each value comes from."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from sixnd.changes import set_option
from sixnd.console import print_json, print_result

if TYPE_CHECKING:
    from sixnd.specs.errors import Path as DocPath
    from sixnd.specs.yaml_reader import Marked

_WIDEST = 56
_FILLED_IN = {("data", "tokenizer", "trained"), ("continual", "origin")}
"""What is read from files that the spec names: no one writes it."""


class Line(NamedTuple):
    """One line of YAML."""

    text: str
    origin: str
    """Where its value comes from; empty for a mapping or list, whose values say it themselves."""


class Value(NamedTuple):
    """One value of a spec."""

    path: str
    value: Any
    origin: str


@click.command()
@click.argument("spec", type=click.Path(path_type=Path))
@click.option("--resolved", "whole", is_flag=True, help="Every field, those left to their defaults too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of YAML.")
@set_option
def show(spec: Path, whole: bool, as_json: bool, changes: tuple[str, ...]) -> None:
    """Show a spec with the origin of each value.

    What it extends, its variables and --set are in it; behind each value stands the file and line, the variable or
    the option that it comes from. The output is a spec itself.
    """
    from sixnd.specs.load import load_budget, read_spec

    read, marked = load_budget(spec, changes), read_spec(spec, changes)
    lines = list(_lines(read.plain(), marked, (), whole))
    if as_json:
        return print_json([value._asdict() for value in _values(read.plain(), marked, (), whole)])
    width = min(max(len(line.text) for line in lines), _WIDEST)
    return print_result(
        "\n".join(f"{line.text:<{width}}  # {line.origin}" if line.origin else line.text for line in lines)
    )


def _chosen(read: Any, marked: "Marked", path: "DocPath", whole: bool) -> Iterator[tuple[str | int, Any, "DocPath"]]:
    """What is shown inside of ``path``: key, value and place of each."""
    children: Any = read.items() if isinstance(read, dict) else enumerate(read)
    for key, value in children:
        child = (*path, key)
        if child in _FILLED_IN or not (whole or marked.has(child)):
            continue
        yield key, _shown(value, marked, child), child


def _shown(value: Any, marked: "Marked", path: "DocPath") -> Any:
    """The value as the spec has it, so that a file that is named stays named; else as it was read."""
    written = marked.get(path) if marked.has(path) else value
    nested = isinstance(written, dict | list) and isinstance(value, type(written))
    return value if nested else written


def _lines(read: Any, marked: "Marked", path: "DocPath", whole: bool) -> Iterator[Line]:
    from sixnd.specs.yaml_reader import on_one_line

    indent = "  " * len(path)
    for key, value, child in _chosen(read, marked, path, whole):
        inside = list(_lines(value, marked, child, whole)) if _is_nested(value) else []
        if isinstance(key, int) and inside:
            yield Line(f"{indent}- {inside[0].text.lstrip()}", inside[0].origin)
            yield from inside[1:]
            continue
        name = "-" if isinstance(key, int) else f"{on_one_line(key)}:"
        if inside:
            yield Line(f"{indent}{name}", "")
            yield from inside
        else:
            yield Line(f"{indent}{name} {on_one_line(value)}", origin(marked, child))


def _is_nested(value: Any) -> bool:
    """Whether what is in it is shown line by line: a mapping that holds something, or a list with mappings."""
    return bool(value) and (
        isinstance(value, dict) or (isinstance(value, list) and any(isinstance(each, dict) for each in value))
    )


def _values(read: Any, marked: "Marked", path: "DocPath", whole: bool) -> Iterator[Value]:
    for _key, value, child in _chosen(read, marked, path, whole):
        if _is_nested(value):
            yield from _values(value, marked, child, whole)
        else:
            yield Value(".".join(map(str, child)), value, origin(marked, child))


def origin(marked: "Marked", path: "DocPath") -> str:
    """Where the value at ``path`` comes from."""
    from sixnd.specs.resolve import EXAMPLES

    if not marked.has(path):
        return "default"
    line, _column = marked.at(path)
    file = marked.files.get(path, marked.file)
    if Path(file).parent == EXAMPLES:
        file = f"preset {Path(file).stem}"
    place = f"{file}:{line}" if line else file
    return ", ".join([place, *(f"${name}" for name in marked.variables.get(path, ()))])
