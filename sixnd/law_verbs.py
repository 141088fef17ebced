"""`sixnd fit` and `sixnd allocate`: a law from runs, and N and D from a law."""

import math
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sixnd.console import checked_name, print_json, print_result, tell, text_width, use_color, write_accepted

if TYPE_CHECKING:
    from sixnd.planner.answers import Answer, Asked
    from sixnd.planner.fitting.fit import Fitted
    from sixnd.specs.law_document import Frontier
    from sixnd.specs.run_table import RunTable

_FILE = click.Path(path_type=Path)
_REFUSED_BELOW = 0.05


class _WithLists(click.Command):
    """`--at 1e21 5.76e23` means `--at 1e21 --at 5.76e23`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(_one_by_one(args)))


def _one_by_one(args: list[str]) -> Iterator[str]:
    listing = False
    for before, word in zip(["", *args], args, strict=False):
        if listing and before != "--at" and _is_number(word):
            yield "--at"
        listing = word == "--at" or (listing and _is_number(word))
        yield word


def _is_number(word: str) -> bool:
    try:
        return 0 < float(word) < math.inf
    except ValueError:
        return False


@click.command(cls=_WithLists)
@click.argument("runs", type=_FILE)
@click.option("--columns", help="What the columns hold, e.g. N=params,D=tokens,L=loss (C in place of N or D).")
@click.option("--at", "at", multiple=True, metavar="FLOPS", help="Budgets to allocate, e.g. --at 1e21 5.76e23.")
@click.option("-o", "--output", type=_FILE, help="Write the law here, as YAML that a spec's `law` names.")
@click.option("--name", default="my-law", show_default=True, callback=checked_name, help="Name of the law.")
@click.option(
    "--form",
    type=click.Choice(["chinchilla", "over-training", "data-constrained", "downstream"]),
    default="chinchilla",
    show_default=True,
    help="Loss surface; with alpha = beta; with the worth of repetition (column U); with a task's error (metric).",
)
@click.option(
    "--approach",
    type=click.Choice(["1", "2", "3"]),
    default="3",
    show_default=True,
    help="Of Hoffmann 2022: envelope of curves, isoFLOP parabolas, loss surface.",
)
@click.option(
    "--estimator",
    type=click.Choice(["frontier", "huber", "likelihood"]),
    default="frontier",
    show_default=True,
    help="Least Huber loss, runs near the frontier counting most; all alike, as published; most likely by its density.",
)
@click.option(
    "--delta",
    type=click.FloatRange(min=0, min_open=True),
    metavar="LOG_LOSS",
    default=1e-3,
    show_default=True,
    help="From which residual on Huber's loss grows linearly.",
)
@click.option("--draws", type=click.IntRange(min=400), default=4000, show_default=True, help="Draws behind intervals.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed draws the same.")
@click.option("--against", multiple=True, metavar="LAW", help="Say whether the runs agree with this law (repeatable).")
@click.option("--mix", is_flag=True, help="RUNS differ in their data mix (weight:NAME, loss:NAME): find the best mix.")
@click.option("--target", metavar="NAME=PART,…", help="With --mix: what each loss counts, e.g. web=1,code=2.")
@click.option("--skip-refused", is_flag=True, help="Fit without the rows that are no runs, and count that as done.")
@click.option("--width", type=click.IntRange(min=40), metavar="COLUMNS", help="Columns of the printed report.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def fit(
    runs: Path,
    columns: str | None,
    at: tuple[str, ...],
    output: Path | None,
    against: tuple[str, ...],
    mix: bool,
    target: str | None,
    skip_refused: bool,
    approach: str,
    width: int | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Fit a scaling law to runs.

    RUNS is a CSV or JSON-lines file with N, D (or C) and the loss of each run, or a folder of run folders. Rows that
    are no runs are named; unless --skip-refused says so, the law is then not written, and the exit code is 3.
    """
    if mix:
        return _fit_mix(runs, options, target, output, skip_refused, width, as_json)
    if target is not None:
        raise click.UsageError("--target says what the losses count of runs that differ in their mix: add --mix")
    from sixnd.planner.fitting.fit import Options, fit_law
    from sixnd.specs.run_table import parse_columns, read_runs

    budgets = [_flops(value) for part in at for value in part.split(",")]
    table = read_runs(runs, parse_columns(columns) if columns else None)
    tell(f"fitting {len(table.rows)} runs, {options['draws']:,} draws")
    fitted = fit_law(table, Options(**options))
    document = fitted.document
    held = [_held_against(name, table) for name in against]
    for row in table.refused:
        tell(f"{row.row}: {row.why}")
    if as_json:
        print_json(_fit_json(fitted, int(approach), budgets) | {"against": held})
    else:
        from sixnd.reports.terminal import law_text

        print_result(law_text(document, fitted.at(budgets), text_width(width), color=use_color()))
        for one in held:
            print_result(textwrap.fill(one["told"], text_width(width)))
    use = f"plan by it: `law: {output.name}` in a spec; draw it: sixnd report {output} -o fit.html" if output else ""
    return write_accepted(output, document, len(table.refused), skip_refused, use)


def _fit_mix(runs: Path, options: dict[str, Any], target: str | None, *how: Any) -> int:
    from sixnd.mix_fit import fit_mix_file

    given = click.get_current_context().get_parameter_source
    output, skip_refused, width, as_json = how
    for name in ("columns", "at", "form", "approach", "estimator", "delta", "draws", "against"):
        if given(name) == click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name} means nothing with --mix")
    return fit_mix_file(
        runs,
        name=options["name"],
        target=target,
        seed=options["seed"],
        output=output,
        skip_refused=skip_refused,
        width=width,
        as_json=as_json,
    )


def _held_against(name: str, table: "RunTable") -> dict[str, Any]:
    """Whether the runs could have come from a law: the distance of its constants from theirs, by their bootstrap."""
    from sixnd.planner import laws
    from sixnd.planner.fitting.consistency import consistency
    from sixnd.planner.fitting.fit import as_runs
    from sixnd.planning import named_law

    found = consistency(laws.surface(named_law(name).law), as_runs(table))
    agrees = found.distance_p >= _REFUSED_BELOW
    verdict = "the runs agree with it" if agrees else "the runs speak against it"
    told = f"{name}: {verdict} (chi-square {found.distance:.4g} on 5 degrees of freedom, p = {found.distance_p:.2g})"
    return {"law": name, "chi_squared": found.distance, "p": found.distance_p, "agrees": agrees, "told": told}


def _flops(text: str) -> float:
    from sixnd.specs.quantity import FLOPS, parse_quantity

    try:
        return float(text) if _is_number(text) else parse_quantity(text, FLOPS)
    except ValueError as error:
        raise click.BadParameter(f"--at {text}: {error}") from None


def _fit_json(fitted: "Fitted", approach: int, budgets: list[float]) -> dict[str, Any]:
    document, law = fitted.document, fitted.document.law
    found: dict[str, Any] = {"form": document.fit.form, "approach": approach}
    if approach == 3:
        names = ("E", "A", "B", "alpha", "beta", "gamma")
        found["parameters"] = {name: getattr(law, name) for name in names}
        allocation = [_allocated(row) for row in fitted.at(budgets)]
    else:
        found["parameters"], allocation = _by_power_law(fitted, approach, budgets)
    return found | {
        "objective": document.fit.objective if approach == 3 else None,
        "rows_used": len(document.fit.runs),
        "rows_refused": len(document.fit.refused),
        "refused": [row.plain() for row in document.fit.refused],
        "allocation": allocation,
        "level": 0.95,
        "leave_one_out_error": document.fit.leave_one_out_error,
        "convergence": document.fit.convergence.plain(),
        "approaches": [one.plain() for one in document.fit.approaches],
        "repetition": document.repetition.plain() if document.repetition else None,
        "task": document.task.model_dump(exclude={"draws"}) if document.task else None,
        "warnings": document.fit.warnings,
    }


def _allocated(row: "Frontier") -> dict[str, Any]:
    return {"C": row.C, "N": row.N, "D": row.D, "L": row.L, "intervals": row.plain()["intervals"]}


def _by_power_law(
    fitted: "Fitted", approach: int, budgets: list[float]
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    from sixnd.specs.errors import UnfitRunsError

    law = next((one for one in fitted.document.fit.approaches if one.approach == approach), None)
    if law is None:
        needs = "training curves (a column `curve`)" if approach == 1 else "runs of equal compute and different sizes"
        raise UnfitRunsError(f"approach {approach} needs {needs}, and these runs have none", "fit by --approach 3")
    parameters = {
        "N_coefficient": law.coefficient,
        "N_exponent": law.exponent,
        "D_coefficient": law.tokens_coefficient,
        "D_exponent": law.tokens_exponent,
    }
    rows = [
        {
            "C": C,
            "N": law.coefficient * C**law.exponent,
            "D": law.tokens_coefficient * C**law.tokens_exponent,
            "L": None,
            "intervals": {},
        }
        for C in budgets
    ]
    return parameters, rows


_ASKED = {
    "params": ("PARAMS", "Fix N, e.g. 7B."),
    "tokens": ("TOKENS", "Fix D, e.g. 2T."),
    "unique": ("TOKENS", "Unique tokens there are: epochs are chosen, and their worth told."),
    "serve_input": ("TOKENS", "Tokens the model will read over its life."),
    "serve_output": ("TOKENS", "Tokens it will write."),
}


def _with_asked(command: Any) -> Any:
    for field, (kind, text) in reversed(_ASKED.items()):
        command = click.option(f"--{field.replace('_', '-')}", field, metavar=kind, help=text)(command)
    return command


_MFU = click.FloatRange(min=0, max=1, min_open=True)


@click.command()
@click.argument("compute", required=False)
@click.option("--loss", type=click.FloatRange(min=0, min_open=True), help="Target loss: the least compute is found.")
@_with_asked
@click.option("--training-mfu", type=_MFU, default=0.4, show_default=True, help="MFU of training, to price serving.")
@click.option("--input-mfu", type=_MFU, help="MFU of reading prompts (default: as training).")
@click.option("--output-mfu", type=_MFU, help="MFU of writing (default: as training).")
@click.option(
    "--serving-price",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Price of an accelerator-hour of serving over training's.",
)
@click.option("--experts", type=click.FloatRange(min=1), help="What so many routed experts are worth (Clark 2022).")
@click.option("--law", "law_name", default="besiroglu-2024", show_default=True, help="Catalog law, or a fitted one.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def allocate(
    compute: str | None,
    loss: float | None,
    experts: float | None,
    law_name: str,
    as_json: bool,
    **given: Any,
) -> None:
    """Choose N and D for a budget, or for a loss.

    COMPUTE is a number of FLOPs (6ND). Every answer has intervals, and what every other law would choose beside it.
    """
    from sixnd.allocate_text import allocation_facts, allocation_text
    from sixnd.planner.answers import answer
    from sixnd.planner.law_choices import law_choices
    from sixnd.planning import named_law

    law = named_law(law_name)
    asked = _asked(None if compute is None else _flops(compute), loss, given)
    found = answer(law, asked)
    choices = law_choices(found.compute, law)
    worth = _experts_worth(found, experts) if experts is not None else None
    if as_json:
        print_json(allocation_facts(law, asked, found, choices, worth))
    else:
        print_result(allocation_text(law, asked, found, choices, worth, text_width()))


def _asked(compute: float | None, loss: float | None, given: dict[str, Any]) -> "Asked":
    from sixnd.planner.allocation import served_tokens
    from sixnd.planner.answers import Asked
    from sixnd.specs.quantity import PARAMS, TOKENS, parse_quantity

    def quantity(field: str) -> float | None:
        text = given[field]
        if text is None:
            return None
        dimension = PARAMS if field == "params" else TOKENS
        try:
            return float(text) if _is_number(text) else parse_quantity(text, dimension)
        except ValueError as error:
            raise click.BadParameter(f"--{field.replace('_', '-')} {text}: {error}") from None

    mfu, price = given["training_mfu"], given["serving_price"]
    served = served_tokens(
        quantity("serve_input") or 0.0,
        quantity("serve_output") or 0.0,
        input_cost=price * (mfu / given["input_mfu"] if given["input_mfu"] else 1.0),
        output_cost=price * (mfu / given["output_mfu"] if given["output_mfu"] else 1.0),
    )
    return Asked(compute, quantity("params"), quantity("tokens"), loss, served, quantity("unique"))


def _experts_worth(found: "Answer", experts: float) -> dict[str, float]:
    """Dense parameters that the answer's N with so many experts would be worth, by router."""
    from sixnd.planner.moe import dense_equivalent
    from sixnd.specs import catalog
    from sixnd.specs.laws import RoutedMoeLaw

    laws = ((name, catalog.law(name)) for name in catalog.names("laws"))
    return {name: dense_equivalent(law, found.params, experts) for name, law in laws if isinstance(law, RoutedMoeLaw)}
