"""Where `sixnd data prepare` runs its tasks: processes of this machine, jobs of Slurm, or Ray."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import click

from sixnd.console import tell

if TYPE_CHECKING:
    from sixnd.runner.data.executors import StepProgress
    from sixnd.runner.data.preparation import Run
    from sixnd.specs.document import Document

    S = TypeVar("S", bound=Document)

PLACES = ("local", "slurm", "ray")


def run_on(place: str, workers: int | None, settings: Sequence[str]) -> "Run":
    """What runs a step's tasks there and tells their progress; ``settings`` are those of Slurm or Ray, ``name=value``.

    Raises ``click.UsageError`` for settings that do not exist or cannot be.
    """
    from sixnd.runner.data.step_progress import StepTeller

    progress = StepTeller(tell).tell
    if place == "local":
        return _local(workers, settings, progress)
    if workers is not None:
        raise click.UsageError(f"--workers is for this machine; with --on {place} say --set at_once=N")
    if place == "slurm":
        from sixnd.runner.data.slurm import SlurmSettings, run_slurm

        return partial(run_slurm, settings=_checked(SlurmSettings, settings), progress=progress)
    from sixnd.runner.data.ray import RaySettings, run_ray

    return partial(run_ray, settings=_checked(RaySettings, settings), progress=progress)


def _local(workers: int | None, settings: Sequence[str], progress: "StepProgress") -> "Run":
    from sixnd.runner.cores import cores
    from sixnd.runner.data.executors import run_local

    if settings:
        raise click.UsageError("--set is for --on slurm and --on ray; this machine has --workers")
    return partial(run_local, workers=workers or cores(), progress=progress)


def _checked(kind: "type[S]", settings: Sequence[str]) -> "S":
    from pydantic import ValidationError

    try:
        return kind.model_validate({name: value for name, _, value in (one.partition("=") for one in settings)})
    except ValidationError as error:
        first = error.errors()[0]
        told = f"--set {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise click.UsageError(f"{told}; there are {', '.join(kind.model_fields)}") from error
