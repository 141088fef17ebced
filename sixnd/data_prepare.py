"""`sixnd data prepare`: clean, deduplicate and tokenise a spec's sources, wholly, and write down what they hold."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sixnd.console import print_json, print_result, tell, text_width, use_color, write_text
from sixnd.data_machines import PLACES, run_on
from sixnd.table_files import width_option

if TYPE_CHECKING:
    from sixnd.runner.data.preparation import PreparedTokens, Run
    from sixnd.specs.plan import Plan

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("spec", type=_FILE)
@click.option("--into", type=_FILE, help="Working folder (default: data/NAME); what is finished in it is kept.")
@click.option("--base-dir", type=_FILE, help="Folder that data paths start from (default: the spec's own).")
@click.option("--workers", type=click.IntRange(min=1), help="Processes on this machine (default: one a core).")
@click.option("--on", type=click.Choice(PLACES), default="local", help="Where the tasks run (default: this machine).")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Of Slurm or Ray, e.g. partition=cpu.")
@width_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def prepare(
    spec: Path,
    into: Path | None,
    base_dir: Path | None,
    workers: int | None,
    on: str,
    settings: tuple[str, ...],
    width: int | None,
    as_json: bool,
) -> None:
    """Clean, deduplicate and tokenise all sources of a spec.

    Runs every stage of every source, trains the tokenizer, and writes `prepared.yaml`: name it as `data.prepared`, and
    the plan counts with the tokens that were measured. Killed, it goes on where it was when it is run again. Where it
    runs, and by how many workers, changes no byte of what is written.
    """
    from sixnd.runner.data.prepared_folder import DOCUMENT, written_down

    plan = _plan_of_the_data(spec)
    folder = into or Path("data") / plan.name
    tokens = _prepared(plan, folder, base_dir or spec.parent, run_on(on, workers, settings))
    document = written_down(folder, plan.name, plan.data, tokens)
    write_text(folder / DOCUMENT, document.to_yaml())
    _warn_of_damage(tokens, folder)
    if as_json:
        print_json(document.plain())
        return
    _print_account(folder, width)
    tell(f"wrote {folder / DOCUMENT}; name it in the spec to plan with what was measured: `data: {{prepared: …}}`")


def _plan_of_the_data(spec: Path) -> "Plan":
    """A plan of the spec for its sources, stages and vocabulary; how they are mixed is not asked yet."""
    from sixnd.planning import planned
    from sixnd.specs.load import load_sources

    return planned(load_sources(spec), spec)


def _prepared(plan: "Plan", folder: Path, base_dir: Path, run: "Run") -> "PreparedTokens":
    from sixnd.runner.cache import cache_dir
    from sixnd.runner.data.preparation import Preparation

    preparation = Preparation(folder, plan.data, base_dir, cache_dir(), run, tell)
    return preparation.prepared(plan.model.vocab_size)


def _warn_of_damage(tokens: "PreparedTokens", folder: Path) -> None:
    count = sum(found.count for source in tokens.sources for found in source.damage)
    if count:
        tell(f"warning: passed over {count:,} times what could not be read; `sixnd data stats {folder}` says what")


def _print_account(folder: Path, width: int | None) -> None:
    from sixnd.data_text import read_accounts, stats_text
    from sixnd.reports.data_facts import data_facts

    print_result(stats_text(data_facts(read_accounts(folder)), text_width(width), color=use_color()))
