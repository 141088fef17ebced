"""From a plan and the name of a launcher to what would be submitted, and to its submission."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sixnd.runner.launchers import kubernetes, skypilot, slurm, torchrun
from sixnd.runner.launchers.cluster_job import ClusterJob, cluster_job
from sixnd.runner.launchers.nodes import nodes_of
from sixnd.runner.trainable import check_trainable
from sixnd.specs.errors import SixndError, next_step
from sixnd.specs.files import write_atomically
from sixnd.specs.plan import Plan


@dataclass(frozen=True)
class _Launcher:
    file: str
    render: Callable[[ClusterJob], str]
    apply: str
    """What a person types to submit the file, with its path last; empty for what we submit ourselves."""
    mode: int | None = None


_LAUNCHERS = {
    "slurm": _Launcher("slurm.sh", slurm.script, "", 0o755),
    "k8s-jobset": _Launcher("jobset.yaml", kubernetes.jobset, "kubectl apply -f"),
    "k8s-trainjob": _Launcher("trainjob.yaml", kubernetes.trainjob, "kubectl apply -f"),
    "skypilot": _Launcher("skypilot.yaml", skypilot.task, "sky jobs launch"),
}


def rendered(plan: Plan, document: Path, launcher: str, runs_dir: Path, base_dir: Path) -> str:
    """What the launcher would be given; nothing is written. ``document`` is the plan's or its spec's file.

    Raises ``SixndError`` for what it cannot be told, ``UntrainablePlanError`` for a plan that is not trained here.
    """
    job = _job(plan, runs_dir, base_dir)
    return torchrun.commands(job, document) if launcher == "torchrun" else _LAUNCHERS[launcher].render(job)


def submitted(plan: Plan, launcher: str, runs_dir: Path, base_dir: Path) -> tuple[Path, str]:
    """Write what the launcher is given, and the plan, into the run folder; Slurm is given it at once.

    Returns the file, and the number of Slurm's job or the words that submit the file.
    """
    job, one = _job(plan, runs_dir, base_dir), _LAUNCHERS[launcher]
    text, file = one.render(job), job.plan_file.parent / one.file
    try:
        for folder in (file.parent, job.folder.logs_path):
            folder.mkdir(parents=True, exist_ok=True)
        write_atomically(job.plan_file, plan.to_yaml())
        write_atomically(file, text, mode=one.mode)
    except OSError as error:
        raise SixndError(
            f"cannot write into the run folder {job.folder.path}: {error.strerror}", next_step(error)
        ) from error
    return file, slurm.submit(file) if launcher == "slurm" else one.apply


def _job(plan: Plan, runs_dir: Path, base_dir: Path) -> ClusterJob:
    check_trainable(plan)
    return cluster_job(plan, runs_dir, base_dir)


def refuse_several(plan: Plan) -> None:
    """A plan for several machines that is started as if there were one is refused with what can be done."""
    count = nodes_of(plan).count
    if count > 1:
        raise SixndError(
            f"the plan runs on {count} machines",
            "start it on each with --node-rank and --endpoint (`--launcher "
            "torchrun --dry-run` prints how), or by another --launcher",
        )
