"""What ran, on what, with which versions: the facts that let a run be done again."""

import datetime
import importlib.metadata
import platform
import shlex
import subprocess
from pathlib import Path

from sixnd.runner.cores import cores
from sixnd.runner.job import JobFolder
from sixnd.specs.plan import Plan
from sixnd.specs.record import Launch

_PACKAGES = ("sixnd", "torch", "megatron-core", "sentencepiece", "numpy")


def now() -> str:
    """UTC time, ISO 8601, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def launch_event(folder: JobFolder, plan: Plan, attempt: int, resumed_from_step: int, base_dir: Path) -> Launch:
    """The record's line about one start of the training processes."""
    runs_dir = folder.path.parents[1]
    command = [
        "sixnd",
        "run",
        str(folder.plan_path),
        "--runs-dir",
        str(runs_dir),
        "--base-dir",
        str(base_dir.resolve()),
    ]
    return Launch(
        attempt=attempt,
        time=now(),
        fingerprint=plan.fingerprint(),
        plan_sha256=plan.digest(),
        layout=plan.layout.label(),
        world_size=plan.layout.world_size,
        host=platform.node(),
        device=_device_name(plan),
        cpu_count=cores(),
        versions={"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
        git_commit=_git_commit(),
        seed=plan.training.seed,
        command=shlex.join(command),
        resumed_from_step=resumed_from_step,
    )


def _device_name(plan: Plan) -> str:
    if not plan.cluster.shared_host:
        import torch

        return str(torch.cuda.get_device_name(0))
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _git_commit() -> str | None:
    """Commit of the sixnd checkout this runs from, if it is one."""
    root = Path(__file__).resolve().parents[1]
    try:
        result = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return result.stdout.strip() or None
