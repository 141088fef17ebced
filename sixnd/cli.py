"""The command line. Every verb imports the rooms it needs inside itself, so that `--help` stays instant.

Exit codes: 0 done, 1 failed, 2 wrong call, 3 invalid document or file, 4 infeasible, 5 stale plan, 6 the run failed,
7 it paused.
"""

import signal
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sixnd import __version__
from sixnd.audit_verbs import audit
from sixnd.calibrate_verbs import calibrate
from sixnd.changes import set_option
from sixnd.console import (
    guarded,
    print_json,
    print_result,
    refuse_format,
    tell,
    text_width,
    use_color,
    write_report,
    write_text,
)
from sixnd.data_verbs import data
from sixnd.diff_verb import diff
from sixnd.explain_verbs import explain
from sixnd.export_verbs import export, sample
from sixnd.init_verb import init
from sixnd.ladder_verbs import ladder
from sixnd.launch_verbs import Launching, join, launch_options, start_elsewhere
from sixnd.law_verbs import allocate, fit
from sixnd.note_verb import note
from sixnd.show_verb import show
from sixnd.status_verb import status
from sixnd.stop_verb import stop
from sixnd.sweep_verb import sweep
from sixnd.tokenizer_verbs import tokenizer

if TYPE_CHECKING:
    from sixnd.specs.plan import Plan

_EXIT_CODES = """\b
Exit codes:
  0  done                    4  infeasible; says what would make it feasible
  1  failed                  5  stale plan: its spec or catalogs have changed
  2  wrong call              6  the run failed; the same command resumes it
  3  invalid document, file  7  the run paused; the same command goes on
"""
_FILE = click.Path(path_type=Path)
_WIDTH = click.IntRange(min=40)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


_ORDER = ["init", "validate", "show", "plan", "sweep", "diff", "explain", "allocate", "audit", "data", "tokenizer"]
_ORDER += ["run", "status", "stop", "note", "report", "sample", "export", "calibrate", "ladder", "fit"]
_ORDER += ["catalog", "schema", "doctor"]


class _InOrder(click.Group):
    """Verbs are listed in the order of use, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(self.commands, key=_ORDER.index)


@click.group(cls=_InOrder, epilog=_EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="sixnd", prog_name="sixnd")
def app() -> None:
    """Turn a compute budget into a trained language model, and say at every step why and how sure it is.

    A budget spec (YAML) becomes a plan, the plan a Megatron-core run, the run a report.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return guarded(lambda: app.main(arguments, prog_name="sixnd", standalone_mode=False))


@app.command()
@click.argument("files", nargs=-1, required=True, type=_FILE)
@_json_option
def validate(files: tuple[Path, ...], as_json: bool) -> int:
    """Check budget specs, plans, laws, ladders and claims.

    Every mistake is told at once, each with its line and column and what was expected.
    """
    from dataclasses import asdict

    from sixnd.specs.errors import InvalidDocumentError, Problem
    from sixnd.specs.load import load_any

    found: dict[Path, list[Problem]] = {}
    for file in files:
        try:
            load_any(file)
            found[file] = []
            if not as_json:
                print_result(f"{file}: ok")
        except InvalidDocumentError as error:
            found[file] = error.problems
            if not as_json:
                tell(str(error))
    if as_json:
        print_json([{"file": str(file), "problems": [asdict(p) for p in problems]} for file, problems in found.items()])
    return InvalidDocumentError.exit_code if any(found.values()) else 0


@app.command()
@click.argument("spec", type=_FILE)
@click.option("-o", "--output", type=_FILE, help="Write the plan here, as YAML that `run` takes.")
@click.option("--width", type=_WIDTH, metavar="COLUMNS", help="Columns of the printed plan (default: the terminal's).")
@_json_option
@set_option
def plan(spec: Path, output: Path | None, width: int | None, as_json: bool, changes: tuple[str, ...]) -> None:
    """Choose model, tokens and layout, and say why.

    Reads a budget spec, starts nothing, and writes no file but the one asked for.
    """
    from sixnd.planning import planned
    from sixnd.reports.terminal import plan_text
    from sixnd.specs.load import load_budget

    made = planned(load_budget(spec, changes), spec, changes)
    if output is not None:
        write_text(output, made.to_yaml())
    if as_json:
        print_json(made.plain())
    else:
        print_result(plan_text(made, text_width(width), color=use_color()))
    if output is not None:
        _tell_plan_written(made, spec, output)


@app.command()
@click.argument("document", metavar="SPEC_OR_PLAN", type=_FILE)
@click.option("--runs-dir", type=_FILE, default=Path("runs"), show_default=True, help="Folder that holds all runs.")
@click.option("--base-dir", type=_FILE, help="Folder that data paths start from (default: the document's own).")
@click.option("--resume-from", "going_on", type=_FILE, help="Run folder to go on with, on this document's machines.")
@click.option("-q", "--quiet", is_flag=True, help="No progress line.")
@set_option
@launch_options
def run(
    document: Path,
    runs_dir: Path,
    base_dir: Path | None,
    going_on: Path | None,
    quiet: bool,
    changes: tuple[str, ...],
    launching: Launching,
) -> int:
    """Train what a plan says, then report it.

    A spec is planned on the way. A run that was cut off resumes from its last checkpoint when the same command is
    given again. --resume-from goes on with a run's model where this document's machines or layout are
    others. With --launcher another machine starts it, as the spec's `launch` says.
    """
    from sixnd.planning import plan_going_on, plan_of

    made = plan_of(document, changes) if going_on is None else plan_going_on(going_on, document, changes)
    runs_dir = runs_dir if going_on is None else going_on.resolve().parents[1]
    if not launching.is_here:
        return start_elsewhere(made, launching, document=document, runs_dir=runs_dir, base_dir=base_dir)
    # Megatron warns at import of every optional kernel library that is not there; `sixnd doctor` tells what is.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"megatron\.")
    from sixnd.runner.job import job_folder
    from sixnd.runner.launch import run_plan
    from sixnd.specs.errors import RunFailedError, RunPausedError

    node = launching.node(made)
    if node is not None and not node.first:
        return join(made, node, runs_dir)
    for number in (signal.SIGTERM, signal.SIGUSR1):  # while ranks train, these ask the run to save and end instead
        signal.signal(number, _as_interrupt)
    folder, base = job_folder(made, runs_dir).path, base_dir or document.parent
    try:
        folder = run_plan(made, runs_dir=runs_dir, base_dir=base, progress=not quiet, node=node)
    except (RunFailedError, RunPausedError) as error:
        tell(f"sixnd: {error}")
        _report_run(folder)
        return error.exit_code
    except KeyboardInterrupt:
        tell(f"sixnd: interrupted; the same command resumes {folder} from its last checkpoint")
        return 130
    _report_run(folder)
    return 0


@app.command()
@click.argument("file", metavar="PLAN_OR_LADDER_OR_LAW_OR_RUN", type=_FILE)
@click.argument("more", metavar="[RUN_FOLDER]...", nargs=-1, type=_FILE)
@click.option("-o", "--output", type=_FILE, help="Write .html, .md or .json (a law: .png too) instead of printing.")
@click.option(
    "--width", type=_WIDTH, metavar="COLUMNS", help="Columns of the printed report (default: the terminal's)."
)
@_json_option
def report(file: Path, more: tuple[Path, ...], output: Path | None, width: int | None, as_json: bool) -> None:
    """Report a plan, a ladder, a fitted law, or what became of a run.

    A run's report holds what happened against what was predicted, a law's how sure it is, a ladder's what it costs and
    would tell. Several runs that started from a trained model are compared by what they forgot of it; `sixnd diff`
    holds any plans or runs side by side.
    """
    from sixnd import reporting

    if output is not None:
        refuse_format(output, reporting.FORMATS, "a report")
    subject = reporting.read_subject(file, *more)
    if output is not None:
        refuse_format(output, reporting.formats_of(subject), "a report of a plan or run")
        write_report(output, subject)
    if as_json:
        print_result(reporting.facts_json(subject))
    elif output is None:
        print_result(reporting.report_text(subject, text_width(width), use_color()))


@app.command()
@click.argument("kind", required=False)
@click.argument("name", required=False)
@_json_option
def catalog(kind: str | None, name: str | None, as_json: bool) -> None:
    """List accelerators, laws and sources with citations.

    KIND picks one catalog, NAME one entry of it, which is then shown whole.
    """
    from sixnd.listing import catalog_text, entries
    from sixnd.specs.catalog import kinds

    if kind is not None and kind not in kinds():
        raise click.UsageError(f"no catalog is called '{kind}'; there are {', '.join(kinds())}")
    found = entries(kind, name)
    if as_json:
        print_json(found)
    else:
        print_result(catalog_text(found, width=text_width(), whole=name is not None))


@app.command()
@click.argument("document", required=False)
@click.option("--write", "folder", type=_FILE, help="Write all schemas into this folder instead.")
@click.option("--reference", "pages", type=_FILE, help="Write the reference of all documents, as Markdown, into it.")
def schema(document: str | None, folder: Path | None, pages: Path | None) -> None:
    """Print a document's JSON Schema, for editors.

    DOCUMENT is budget-spec, plan, run-record or another; without one, all are named.
    """
    from sixnd.specs.reference import pages as reference
    from sixnd.specs.schema import schema_text, schemas

    if folder is not None:
        _write_all(folder, {f"{name}.json": schema_text(name) for name in schemas()})
    if pages is not None:
        _write_all(pages, reference())
    if folder is not None or pages is not None:
        return
    if document not in schemas():
        raise click.UsageError(f"name one document: {', '.join(schemas())}; or give --write FOLDER")
    print_result(schema_text(document))


def _write_all(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write_text(folder / name, text)
        tell(f"wrote {folder / name}")


@app.command()
@_json_option
def doctor(as_json: bool) -> None:
    """Say what this machine and installation can do.

    Versions, cores, memory, GPUs, and whether the extras are complete.
    """
    from sixnd.doctor import examination_text, examine

    facts = examine()
    if as_json:
        print_json(facts)
    else:
        print_result(examination_text(facts))


def _report_run(folder: Path) -> None:
    """Print a run's report and write it into its folder; whatever keeps one from being made is told, not raised."""
    from sixnd import reporting
    from sixnd.specs.errors import SixndError

    try:
        subject = reporting.read_run(folder)
        print_result(reporting.report_text(subject, text_width(), use_color()))
        for file in (folder / "report.md", folder / "report.html"):
            write_report(file, subject)
        tell(f"its charts, that of the loss first, are in {folder / 'report.html'}: open it in a browser")
    except SixndError as error:
        tell(f"sixnd: no report: {error}")


def _as_interrupt(*_: object) -> None:
    """Slurm and containers stop a job by SIGTERM: the training processes must then be stopped too."""
    raise KeyboardInterrupt


def _tell_plan_written(made: "Plan", spec: Path, output: Path) -> None:
    tell(f"wrote {output}; start it with: sixnd run {output}")
    relative = [s.name for s in made.data.sources if s.path is not None and not Path(s.path).is_absolute()]
    if relative and output.parent.resolve() != spec.parent.resolve():
        tell(f"note: the paths of {', '.join(relative)} are relative to the spec; add --base-dir {spec.parent}")


app.add_command(audit)
app.add_command(fit)
app.add_command(allocate)
app.add_command(explain)
app.add_command(export)
app.add_command(sample)
app.add_command(ladder)
app.add_command(diff)
app.add_command(init)
app.add_command(note)
app.add_command(show)
app.add_command(sweep)
app.add_command(status)
app.add_command(stop)
app.add_command(calibrate)
app.add_command(tokenizer)
app.add_command(data)

if __name__ == "__main__":
    raise SystemExit(main())
