"""What the tokenizer verbs are given: specs and text, as sources to read; and what is told while they are read."""

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sixnd.console import tell

if TYPE_CHECKING:
    from sixnd.runner.tokenizers.text_sources import TextSource
    from sixnd.specs.plan import Plan

_SPECS = (".yaml", ".yml")
_TELL_EVERY_S = 10.0
_NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63})=(.+)", re.DOTALL)
_NAME_CHARACTERS = 64


def threads_of(asked: int | None) -> int:
    """As many as asked for, or the cores this process may use."""
    from sixnd.runner.cores import cores

    return asked or cores()


def plan_in(inputs: Sequence[str]) -> "tuple[Plan, Path] | None":
    """The plan of the one spec or plan that is named, with its folder; none where files of text are."""
    specs = [given for given in inputs if given.endswith(_SPECS)]
    if not specs:
        return None
    if len(inputs) > 1:
        raise click.UsageError(f"name one spec or several files of text, not '{specs[0]}' with others")
    return plan_at(Path(specs[0]))


def plan_at(file: Path) -> "tuple[Plan, Path]":
    """The plan of a spec and the folder its paths start from."""
    from sixnd.planning import plan_of

    return plan_of(file), file.parent


def sources_of(patterns: Sequence[str], text_field: str = "text") -> "list[TextSource]":
    """Sources of ``[NAME=]GLOB``s; without a name the pattern itself stands for it."""
    from sixnd.runner.tokenizers.text_sources import of_pattern

    found = []
    for pattern in patterns:
        named = _NAMED.fullmatch(pattern)
        name, glob = named.groups() if named else (_name_of(pattern), pattern)
        found.append(of_pattern(name, glob, text_field))
    names = [source.name for source in found]
    if len(set(names)) < len(names):
        raise click.UsageError("two texts have the same name; give each its own: NAME=GLOB")
    return found


def _name_of(pattern: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", pattern).strip("-")[-_NAME_CHARACTERS:].strip("-") or "text"


def damage_of(sources: "Sequence[TextSource]") -> list[dict[str, Any]]:
    """What could not be read, told on the way and as plain data."""
    found = [{"source": source.name} | one.plain() for source in sources for one in source.damage.found()]
    for one in found:
        tell(f"could not be read: {one['kind']}: {one['count']:,} in {one['source']} (first: {one['first'][0]})")
    return found


def teller(what: str) -> Callable[[int, int], None]:
    """Tells documents and megabytes so far, now and then."""
    last = began = time.monotonic()

    def progress(documents: int, size: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _TELL_EVERY_S:
            last = now
            tell(f"{what}: {documents:,} documents, {size / 1e6:,.1f} MB, {size / 1e6 / (now - began):,.1f} MB/s")

    return progress
