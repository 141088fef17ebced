"""`sixnd calibrate`: the step-time model's constants re-fitted to logs, runs, or a short profile of this machine."""

import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sixnd.console import checked_name, print_json, print_result, tell, text_width, write_text

if TYPE_CHECKING:
    from sixnd.planner.calibration_document import Measurement
    from sixnd.planner.machine import Machine
    from sixnd.specs.budget import BudgetSpec
    from sixnd.specs.plan import Plan

_FILE = click.Path(path_type=Path)
_WARM_UP_STEPS = 3
"""Steps of each start of our own runner that are not training's time alone."""


@click.command()
@click.argument("document", metavar="SPEC_OR_PLAN", type=_FILE)
@click.option(
    "--log",
    "logs",
    multiple=True,
    metavar="LOG[=PLAN]",
    help="Training log of Megatron-LM, Megatron-Bridge or NeMo; PLAN describes its run, if SPEC_OR_PLAN does not.",
)
@click.option("--run", "runs", multiple=True, type=_FILE, metavar="FOLDER", help="Run folder of `sixnd run`.")
@click.option(
    "--measure", is_flag=True, help="Train a few steps of the plan's model and of smaller ones, here and now."
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=60.0,
    show_default=True,
    help="With --measure: about how long to train.",
)
@click.option("-o", "--output", type=_FILE, help="Write the calibration here; a spec's `cluster.calibration` names it.")
@click.option("--name", default="my-machine", show_default=True, callback=checked_name, help="Name of the calibration.")
@click.option("--width", type=click.IntRange(min=40), metavar="COLUMNS", help="Columns of the printed text.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def calibrate(
    document: Path,
    logs: tuple[str, ...],
    runs: tuple[Path, ...],
    measure: bool,
    seconds: float,
    output: Path | None,
    name: str,
    width: int | None,
    as_json: bool,
) -> None:
    """Re-fit the step-time model to one's own machine.

    Takes measured step times: of a training log (--log), of finished runs (--run), of a profile made now (--measure),
    each as often as wanted. SPEC_OR_PLAN says on which accelerator, and describes the logs' run.
    """
    from sixnd.calibrate_text import calibration_text
    from sixnd.planner.calibration_document import make_calibration

    if not (logs or runs or measure):
        raise click.UsageError("nothing measured to calibrate by; give --log, --run or --measure")
    spec, plan = _subject(document)
    notes: list[str] = []
    machine = _machine(spec, plan, document)
    found = [*_of_logs(logs, document, plan, machine, notes), *(_of_run(folder, machine) for folder in runs)]
    found += _profiled(plan or _planned(spec, document), seconds) if measure else []
    made = make_calibration(name, machine, found, notes)
    if output is not None:
        write_text(output, made.to_yaml())
    if as_json:
        print_json(made.plain())
    else:
        print_result(calibration_text(made, text_width(width)))
    if output is not None:
        tell(f"wrote {output}; plan by it: `calibration: {output.name}` under `cluster` in a spec")


def _subject(document: Path) -> tuple["BudgetSpec", "Plan | None"]:
    """The spec without its calibration, since a fit starts from the catalog; and the plan, if that was given."""
    from sixnd.specs.budget import BudgetSpec
    from sixnd.specs.load import load_document

    found = load_document(document)
    plan = None if isinstance(found, BudgetSpec) else found
    spec = found if isinstance(found, BudgetSpec) else found.spec
    return spec.model_copy(update={"cluster": spec.cluster.model_copy(update={"calibration": None})}), plan


def _machine(spec: "BudgetSpec", plan: "Plan | None", document: Path) -> "Machine":
    """The accelerator in the plan's precision, or in the spec's, which must be one."""
    from sixnd.planner.machine import allowed_precisions, machine_of
    from sixnd.specs.errors import ContradictionError, Problem
    from sixnd.specs.load import located

    try:
        if plan is not None:
            return machine_of(spec, plan.training.precision)
        allowed = allowed_precisions(spec)
        if len(allowed) > 1:
            do = f"set training.precision to one of {', '.join(allowed)}"
            raise ContradictionError(Problem(("training", "precision"), "a calibration is of one precision", do))
        return machine_of(spec)
    except ContradictionError as error:
        raise located(error, document) from error


def _planned(spec: "BudgetSpec", document: Path) -> "Plan":
    from sixnd.planning import planned

    return planned(spec, document)


def _of_logs(
    logs: tuple[str, ...], document: Path, plan: "Plan | None", machine: "Machine", notes: list[str]
) -> Iterator["Measurement"]:
    from sixnd.planner.calibration_document import Measurement
    from sixnd.specs.training_log import read_training_log

    for given in logs:
        name, described = _log_and_plan(given)
        described_by = document if described is None else described
        of = plan if described is None and plan is not None else _describing(described_by, machine)
        log = read_training_log(Path(name), of.training.global_batch, of.training.batches.sizes[:-1])
        if log.left_out:
            notes.append(f"{name}: {log.left_out} of {log.left_out + len(log.lines)} lines are warm-up and left out")
        yield Measurement(of, log.span, tuple(line.seconds for line in log.lines))


def _log_and_plan(given: str) -> tuple[str, Path | None]:
    log, equals, plan = given.rpartition("=")
    return (log, Path(plan)) if equals and plan.endswith((".yaml", ".yml")) else (given, None)


def _describing(document: Path, machine: "Machine") -> "Plan":
    """The plan that describes a log's run: as given, or of a spec that leaves nothing of it open."""
    spec, plan = _subject(document)
    found = plan or _planned(spec, document)
    if plan is None:
        _refuse_open(spec, found, document)
    _refuse_other_machine(found, document, machine, "accelerators" if plan is None else "accelerator")
    return found


def _refuse_open(spec: "BudgetSpec", plan: "Plan", document: Path) -> None:
    """A log is of one run: what the spec leaves to the planner may not be what ran."""
    from sixnd.specs.errors import ContradictionError, Problem
    from sixnd.specs.load import located

    pins, layout = spec.layout, plan.layout
    needed = ["tensor", "pipeline", "micro_batch"]
    needed += ["virtual_pipeline"] if layout.pipeline > 1 else []
    needed += [name for name in ("context", "expert", "expert_tensor") if getattr(layout, name) > 1]
    still = [f"layout.{name}" for name in needed if getattr(pins, name) is None]
    still += ["layout.recompute"] if pins.recompute == "auto" else []
    still += ["training.global_batch"] if spec.training.global_batch is None else []
    still += ["model.shape or model.family"] if spec.model.shape is None and spec.model.family is None else []
    if still:
        message = f"a log is of one run, and this spec leaves open {', '.join(still)}"
        problem = Problem(("version",), message, "pin that, or give the run's plan")
        raise located(ContradictionError(problem), document)


def _refuse_other_machine(plan: "Plan", document: Path, machine: "Machine", key: str) -> None:
    from sixnd.specs.errors import ContradictionError, Problem
    from sixnd.specs.load import located

    here = (machine.planned.accelerator, machine.precision)
    there = (plan.cluster.accelerator, plan.training.precision)
    if here != there:
        message = f"ran on {there[0]} in {there[1]}, and what is calibrated is {here[0]} in {here[1]}"
        problem = Problem(("cluster", key), message, "calibrate each machine and precision of its own")
        raise located(ContradictionError(problem), document)


def _of_run(folder: Path, machine: "Machine") -> "Measurement":
    from sixnd.planner.calibration_document import Measurement
    from sixnd.specs.errors import InvalidDocumentError, Problem
    from sixnd.specs.load import load_plan
    from sixnd.specs.record import Launch, Step, read_record

    plan = load_plan(folder / "plan.yaml")
    _refuse_other_machine(plan, folder / "plan.yaml", machine, "accelerator")
    record = read_record(folder / "record.jsonl")
    starts = {launch.attempt: launch.resumed_from_step for launch in record.of(Launch)}
    batches = plan.training.batches
    steps = [
        step.step_time_s
        for step in record.of(Step)
        if step.step - starts.get(step.attempt, 0) > _WARM_UP_STEPS
        and step.step_time_s > 0
        and batches.of_step(step.step) == batches.full
    ]
    if not steps:
        of = " of the full batch" if batches.stages else ""
        message = f"no step{of} after the first {_WARM_UP_STEPS} of a start, which are warm-up"
        problem = Problem((), message, "name a run that took more steps")
        raise InvalidDocumentError(str(folder / "record.jsonl"), [problem])
    hosts = sorted({launch.host for launch in record.of(Launch)})
    return Measurement(plan, f"{folder} ({', '.join(hosts)})", tuple(steps))


def _profiled(plan: "Plan", seconds: float) -> list["Measurement"]:
    import platform

    from sixnd.planner.calibration_document import Measurement

    # Megatron warns at import of every optional kernel library that is not there; `sixnd doctor` tells what is.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"megatron\.")
    from sixnd.runner.profile import profile

    signal.signal(signal.SIGTERM, _as_interrupt)
    found = profile(plan, seconds, tell)
    return [Measurement(one.plan, f"profile on {platform.node()}", one.seconds) for one in found]


def _as_interrupt(*_: object) -> None:
    """A job that is stopped by SIGTERM stops its training processes too."""
    raise KeyboardInterrupt
