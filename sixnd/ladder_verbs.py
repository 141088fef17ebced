"""`sixnd ladder`: design the small runs for a target, run them, collect what they measured."""

import os
import signal
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sixnd.console import print_json, print_result, tell, text_width, use_color, write_text

if TYPE_CHECKING:
    from sixnd.planner.ladder import MadeLadder, Request
    from sixnd.specs.ladder import Ladder, Rung

_FILE = click.Path(path_type=Path)
LADDER_FILE = "ladder.yaml"
_TARGET_FILE = "target.yaml"
_INTERRUPTED = 130  # 128 + SIGINT, as shells count it


def _share(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    """A share written as `5%` or as `0.05`."""
    if value is None:
        return None
    try:
        share = float(value.strip().removesuffix("%")) / (100 if value.strip().endswith("%") else 1)
    except ValueError:
        raise click.BadParameter(f"'{value}' is no share; write it like 5% or 0.05") from None
    if not 0 < share < 1:
        raise click.BadParameter(f"'{value}' is not between nothing and all; write it like 5% or 0.05")
    return share


@click.command()
@click.argument("subject", metavar="SPEC_OR_LADDER_FOLDER", type=_FILE)
@click.option("--share", callback=_share, metavar="SHARE", help="Share of the target's compute to spend, e.g. 5%.")
@click.option("--runs", type=click.IntRange(min=6, max=99), default=16, show_default=True, help="Number of runs.")
@click.option(
    "--design",
    type=click.Choice(["optimal", "isoflop", "grid"]),
    default="optimal",
    show_default=True,
    help="Runs that tell most, isoFLOP curves, or a grid of N and D.",
)
@click.option(
    "--noise", type=click.FloatRange(0, 0.5, min_open=True), help="Spread of log loss among seeds, e.g. 0.003."
)
@click.option(
    "--tokens-per-param",
    "ratios",
    type=(click.FloatRange(0.1), click.FloatRange(0.1)),
    metavar="LEAST MOST",
    default=(5.0, 200.0),
    show_default=True,
    help="Smallest and largest D/N of a rung.",
)
@click.option("--run", "run_all", is_flag=True, help="Train the rungs of a ladder folder, cheapest first.")
@click.option(
    "--collect", type=_FILE, metavar="RUNS_DIR", help="Collect the losses of a ladder folder's finished runs."
)
@click.option("--runs-dir", type=_FILE, default=Path("runs"), show_default=True, help="With --run: folder of all runs.")
@click.option("-o", "--output", type=_FILE, help="Folder for the ladder; with --collect, the CSV file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def ladder(
    subject: Path,
    share: float | None,
    run_all: bool,
    collect: Path | None,
    runs_dir: Path,
    output: Path | None,
    as_json: bool,
    **asked: Any,
) -> int:
    """Design small runs, from which the law of a large one is fitted.

    From a budget spec and a share: chooses sizes and token counts that shrink the interval of the target's
    compute-optimal N and loss most, and writes one spec for each run. Of a folder that it wrote: trains the runs
    (--run), or collects their losses into a table (--collect) for `sixnd fit`.
    """
    if run_all and collect is not None:
        raise click.UsageError("--run and --collect are two steps; give one of them")
    if subject.is_dir() or subject.name == LADDER_FILE:
        if share is not None:
            raise click.UsageError(f"{subject} is a ladder already; --share designs one from a budget spec")
        folder = subject if subject.is_dir() else subject.parent
        if collect is not None:
            return _collect(folder, collect, output, as_json)
        return _run(folder, runs_dir, as_json) if run_all else _show(_read(folder), as_json)
    if run_all or collect is not None:
        raise click.UsageError("--run and --collect take the folder that `sixnd ladder SPEC --share … -o FOLDER` wrote")
    if share is None:
        raise click.UsageError("say how much the ladder may spend: --share 5%")
    if asked["ratios"][0] >= asked["ratios"][1]:
        raise click.UsageError("--tokens-per-param takes the smaller number first")
    from sixnd.planner.ladder import Request

    request = Request(share, asked["runs"], asked["design"], asked["noise"], asked["ratios"])
    return _design(subject, request, output, as_json)


def _design(spec_file: Path, request: "Request", output: Path | None, as_json: bool) -> int:
    from sixnd.planner.ladder import make_ladder
    from sixnd.specs.errors import ContradictionError
    from sixnd.specs.load import load_budget, located

    spec = load_budget(spec_file)
    _refuse_filled(output)
    folder = spec_file.parent if output is None else output
    tell(f"choosing {request.runs} runs for {request.share:.3g} of the compute of {spec_file}")

    def relocate(path: str) -> str:
        return path if Path(path).is_absolute() else os.path.relpath(spec_file.parent / path, folder)

    try:
        made = make_ladder(spec, request, os.path.relpath(spec_file, folder), relocate)
    except ContradictionError as error:
        raise located(error, spec_file) from error
    if output is not None:
        _write(made, output)
    return _show(made.ladder, as_json)


def _refuse_filled(output: Path | None) -> None:
    from sixnd.specs.errors import SixndError

    if output is not None and (output / LADDER_FILE).exists():
        raise SixndError(f"{output} holds a ladder already", "move it away, or write to another folder")


def _write(made: "MadeLadder", output: Path) -> None:
    from sixnd.planner.ladder import LAW_FILE
    from sixnd.specs.yaml_reader import dump_yaml

    output.mkdir(parents=True, exist_ok=True)
    for rung, spec in zip(made.ladder.rungs, made.specs, strict=True):
        write_text(output / rung.spec, dump_yaml(spec.model_dump(mode="json", exclude_defaults=True)))
    write_text(output / _TARGET_FILE, dump_yaml(made.target))
    write_text(output / LADDER_FILE, made.ladder.to_yaml())  # last: a folder with this file is complete
    tell(f"wrote {output / LADDER_FILE} and {len(made.specs)} specs; next:")
    tell(f"  sixnd ladder {output} --run")
    tell(f"  sixnd ladder {output} --collect runs -o {output / 'runs.csv'}")
    tell(f"  sixnd fit {output / 'runs.csv'} -o {output / LAW_FILE}")
    tell(f"  sixnd plan {output / _TARGET_FILE}")


def _read(folder: Path) -> "Ladder":
    from sixnd.specs.ladder import Ladder
    from sixnd.specs.load import load

    return load(folder / LADDER_FILE, Ladder)


def _show(found: "Ladder", as_json: bool) -> int:
    from sixnd.reporting import report_text

    if as_json:
        print_json(found.plain())
    else:
        print_result(report_text(found, text_width(), use_color()))
    return 0


def _collect(folder: Path, runs_dir: Path, output: Path | None, as_json: bool) -> int:
    from sixnd.ladder_runs import as_csv, rows_of, rung_states
    from sixnd.planner.ladder import LAW_FILE
    from sixnd.specs.errors import SixndError

    states = rung_states(_read(folder), folder, runs_dir)
    missing = [state for state in states if state.row is None]
    for state in missing:
        tell(f"{state.name}: {state.why_not}")
    tell(f"{len(states) - len(missing)} of {len(states)} rungs are finished")
    if len(missing) == len(states):
        raise SixndError(f"no rung of {folder} is finished in {runs_dir}", f"train them: sixnd ladder {folder} --run")
    if output is not None:
        write_text(output, as_csv(states))
        tell(f"wrote {output}; next: sixnd fit {output} -o {folder / LAW_FILE}")
    if as_json:
        print_json(
            {"rows": rows_of(states), "missing": [{"name": each.name, "why_not": each.why_not} for each in missing]}
        )
    elif output is None:
        print_result(as_csv(states))
    return 0


def _run(folder: Path, runs_dir: Path, as_json: bool) -> int:
    """Train every rung that is not finished; one that fails is told, and the next one begun."""
    from sixnd.specs.errors import RunFailedError

    found, outcome = _read(folder), dict[str, str]()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as in `sixnd run`: a stopped job stops its training
    warnings.filterwarnings("ignore", category=UserWarning, module=r"megatron\.")
    for i, rung in enumerate(found.rungs, 1):
        tell(f"rung {i} of {len(found.rungs)}, {rung.name}: about {rung.wall_time_s.value / 60:,.3g} min")
        try:
            outcome[rung.name] = _run_rung(folder, rung, runs_dir)
        except RunFailedError as error:
            outcome[rung.name] = f"failed: {error}"
        except KeyboardInterrupt:
            tell(f"sixnd: interrupted in {rung.name}; the same command goes on from its last checkpoint")
            return _INTERRUPTED
        tell(f"{rung.name}: {outcome[rung.name]}")
    failed = [name for name, said in outcome.items() if said.startswith("failed")]
    if as_json:
        print_json(outcome)
    tell(f"{len(outcome) - len(failed)} of {len(outcome)} rungs are finished")
    tell(f"next: sixnd ladder {folder} --collect {runs_dir} -o {folder / 'runs.csv'}")
    return RunFailedError.exit_code if failed else 0


def _run_rung(folder: Path, rung: "Rung", runs_dir: Path) -> str:
    from sixnd.ladder_runs import rung_state
    from sixnd.planner.plan import make_plan
    from sixnd.specs.load import load_budget

    spec = load_budget(folder / rung.spec)
    if rung_state(rung, spec, runs_dir).row is not None:
        return "finished before"
    from sixnd.runner.launch import run_plan

    run_plan(make_plan(spec), runs_dir=runs_dir, base_dir=folder, progress=True)
    return "finished"
