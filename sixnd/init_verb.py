"""`sixnd init`: three questions, and a commented budget spec."""

import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click

from sixnd.console import tell, write_text

_FILE = click.Path(path_type=Path)


class Given(NamedTuple):
    """The three answers, as the spec's fields."""

    budget: tuple[str, str]
    """Field of `budget`, and its value."""
    accelerators: str
    sources: list[tuple[str, str, str]]
    """Of each: its name, `recipe` or `path`, and which."""


@click.command()
@click.argument("file", type=_FILE, default=Path("spec.yaml"))
@click.option("--budget", help="What may be spent: '14 days', '250k USD', '40000 GPU-hours' or '3e21 FLOPs'.")
@click.option("--cluster", help="The machines: '8 x h100-sxm' (`sixnd catalog accelerators`); '1 x cpu-2core' is here.")
@click.option("--data", multiple=True, help="A file, folder or glob of text, or a recipe (`sixnd catalog sources`).")
def init(file: Path, budget: str | None, cluster: str | None, data: tuple[str, ...]) -> None:
    """Write a commented budget spec.

    Three questions are asked: what may be spent, on which machines, on what text; options answer them instead.
    """
    from sixnd.specs.load import load_budget

    if file.exists():
        raise click.UsageError(f"'{file}' is there already; name another file, or remove it")
    given = Given(
        _answered("budget", budget, "What may be spent", "14 days", _budget),
        _answered("cluster", cluster, "On which machines", "8 x h100-sxm", _accelerators),
        _answered("data", shlex.join(data) or None, "On what text (paths or recipes)", "installed-docs", _sources),
    )
    write_text(file, _spec(_name_of(file), given))
    load_budget(file)
    tell(f"wrote {file}; next: sixnd plan {file}")


def _answered(option: str, answer: str | None, question: str, example: str, read: Callable[[str], Any]) -> Any:
    """What ``read`` makes of the answer; without one a terminal is asked, until it can be read."""

    def taken(given: str) -> Any:
        try:
            return read(given)
        except ValueError as error:
            raise click.UsageError(f"--{option} '{given}': {error}") from error

    if answer is not None:
        return taken(answer)
    if not sys.stdin.isatty():
        raise click.UsageError(f"--{option} is missing, e.g. --{option} '{example}'; at a terminal it is asked for")
    return click.prompt(question, default=example, value_proc=taken, err=True)


def _budget(answer: str) -> tuple[str, str]:
    """The field whose unit the answer has."""
    from sixnd.specs.quantity import ACCELERATOR_TIME, FLOPS, MONEY, TIME, parse_quantity

    fields = {"time": TIME, "money": MONEY, "accelerator_hours": ACCELERATOR_TIME, "compute": FLOPS}
    for field, dimension in fields.items() if re.search(r"[^\d\s.,_]", answer) else ():
        try:
            parse_quantity(answer, dimension)
        except ValueError:
            continue
        return field, answer
    raise ValueError("expected a number with its unit, like '14 days', '250k USD', '40000 GPU-hours' or '3e21 FLOPs'")


def _accelerators(answer: str) -> str:
    from sixnd.specs import catalog
    from sixnd.specs.quantity import parse_accelerators

    found = parse_accelerators(answer)
    catalog.checked_name("accelerators", found.name)
    return str(found)


def _sources(answer: str) -> list[tuple[str, str, str]]:
    """Words that are recipes of the catalog, and paths; each with a name of its own."""
    from sixnd.specs import catalog

    recipes = catalog.names("sources")
    found: list[tuple[str, str, str]] = []
    for word in filter(str.strip, shlex.split(answer)):
        name = _unused(word if word in recipes else _word(Path(word)), [each[0] for each in found])
        found.append((name, "recipe" if word in recipes else "path", word))
    if not found:
        raise ValueError("name at least one file, folder, glob or recipe")
    return found


def _word(path: Path) -> str:
    """A name for what lies at a path: its last part that is more than a pattern, in letters a name may have."""
    for part in (path.name.partition(".")[0], *(parent.name for parent in path.parents)):
        kept = "".join(each for each in part if each.isascii() and (each.isalnum() or each in "-_"))
        if kept.strip("-_"):
            return kept.strip("-_")[:48]
    return "text"


def _unused(name: str, taken: list[str]) -> str:
    return name if name not in taken else _unused(f"{name}-{len(taken) + 1}", taken)


def _name_of(file: Path) -> str:
    return _word(Path(file.stem))


def _spec(name: str, given: Given) -> str:
    """The spec with its comments."""
    from sixnd.specs.resolve import EXAMPLES
    from sixnd.specs.yaml_reader import on_one_line

    field, budget = given.budget
    schema = EXAMPLES.parent / "schema" / "budget-spec.json"
    sources = "\n".join(
        f"    - {{name: {on_one_line(source)}, {kind}: {on_one_line(which)}, weight: 1}}"
        for source, kind, which in given.sources
    )
    return f"""\
# yaml-language-server: $schema={schema.as_uri()}
#
# A training budget. `sixnd plan` chooses what is left out, and says why; `sixnd show --resolved` lists every field.
version: budget/1
name: {on_one_line(name)}

# What may be spent: one of time, money, accelerator_hours, compute (C = 6ND) or loss.
budget:
  {field}: {on_one_line(budget)}

cluster:
  accelerators: {on_one_line(given.accelerators)}   # sixnd catalog accelerators
  # price_usd_per_accelerator_hour: 2.5   # by default the catalog's dated price
  # pricing: spot                         # cheaper, and interrupted

# Left out, N is what the law holds best for the compute.
model:
  sequence_length: {_sequence(given.accelerators)}
  # params: 1B params
  # vocab_size: 32000

data:
  # Shares of the training tokens are relative. `stages` cleans text before it is tokenised: a profile of
  # `sixnd catalog text-profiles`, or a list of `sixnd catalog text-filters`.
  sources:
{sources}
  # With unique_tokens on each source repetition is planned for, and told; `sixnd data prepare` measures them.

# training:
#   schedule: wsd           # by default cosine
#   seed: 1234

# law: my-law.yaml          # a law fitted to runs of your own: sixnd ladder, sixnd fit
"""


def _sequence(accelerators: str) -> int:
    """Short on a CPU, where a person waits for the first run."""
    from sixnd.specs import catalog
    from sixnd.specs.quantity import parse_accelerators

    return 256 if catalog.accelerator(parse_accelerators(accelerators).name).kind == "cpu" else 4096
