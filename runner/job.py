"""The job folder: everything one run needs and leaves behind, under ``runs/<name>/<fingerprint>/``.

plan.yaml        the plan, as decided; plan-of-attempt-1.yaml … those of other layouts before it
job.yaml         how it is launched here: processes, threads, prepared data
launch.sh        the same start by hand
record.jsonl     what happened, one JSON line an event
data/            tokenizer and indexed tokens, each file named by its content
checkpoints/     step_00000100/ …, complete or not there
tensorboard/, logs/
"""

import contextlib
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from sixnd.runner.cores import cores
from sixnd.runner.determinism import determinism_variables
from sixnd.runner.launchers.nodes import Node, rendezvous
from sixnd.runner.lock import exclusive
from sixnd.specs.document import Document
from sixnd.specs.errors import SixndError, next_step
from sixnd.specs.files import write_atomically
from sixnd.specs.load import load, load_plan
from sixnd.specs.plan import Plan


class SourceFiles(Document):
    """One source as Megatron's indexed files: prefixes of ``.bin`` and ``.idx``, relative to the job folder."""

    name: str
    weight: float
    """Share of the validation blend, which is that of the main phase."""
    train_prefix: str
    """Of the main phase."""
    validation_prefix: str
    anneal_prefix: str | None = None
    """Of annealing; none where it reads nothing of the source, or there is none."""

    @property
    def prefixes(self) -> set[str]:
        """All of them, each once."""
        return {self.train_prefix, self.validation_prefix, self.anneal_prefix or self.train_prefix}


class Job(Document):
    """How a plan is launched on this machine."""

    version: Literal["job/1"] = "job/1"
    processes: int
    """Training processes of this machine; where there are several, of each."""
    threads_per_process: int
    """CPU threads of one process."""
    tokenizer: str
    """SentencePiece model, relative to the job folder."""
    sources: list[SourceFiles]
    base: str | None = None
    """Checkpoint of the model that training starts from; none where it starts from new weights, or goes on."""
    command: list[str]
    """The training processes' start, as an argument list."""
    environment: dict[str, str]
    """Variables set for them."""


class JobFolder:
    """Paths of one job folder, and atomic writes into it."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.plan_path = self.path / "plan.yaml"
        self.job_path = self.path / "job.yaml"
        self.record_path = self.path / "record.jsonl"
        self.data_path = self.path / "data"
        self.checkpoints_path = self.path / "checkpoints"
        self.tensorboard_path = self.path / "tensorboard"
        self.logs_path = self.path / "logs"

    def plan(self) -> Plan:
        """The plan of this run."""
        return load_plan(self.plan_path)

    def job(self) -> Job:
        """How this run is launched."""
        return load(self.job_path, Job)

    def make(self) -> None:
        """Make the folder; what is there of an unfinished run is kept."""
        with self._told():
            for folder in (self.path, self.data_path, self.checkpoints_path, self.logs_path):
                folder.mkdir(parents=True, exist_ok=True)

    def create(self, plan: Plan) -> None:
        """Make the folder and write the plan into it; an unfinished run of the same plan is kept."""
        self.make()
        with self._told():
            write_atomically(self.plan_path, plan.to_yaml())

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SixndError(f"cannot write the run folder {self.path}: {error.strerror}", next_step(error)) from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[int]:
        """Hold this run against a second start of it; yields the lock's file descriptor.

        Processes that inherit the descriptor hold the lock too, so a run whose launcher was killed stays locked
        until its training processes are gone.
        """
        refusal = f"{self.path} is being trained by another process"
        with exclusive(self.path / "lock", refusal, "`sixnd status` tells how far") as lock:
            yield lock

    def write_job(self, job: Job) -> None:
        """Write ``job.yaml`` and ``launch.sh``."""
        write_atomically(self.job_path, job.to_yaml())
        exports = [f"export {name}={shlex.quote(value)}" for name, value in job.environment.items()]
        lines = ["#!/bin/sh", "# Starts or resumes this run by hand.", *exports, f"exec {shlex.join(job.command)}", ""]
        script = "\n".join(lines)
        write_atomically(self.path / "launch.sh", script, mode=0o755)


def job_folder(plan: Plan, runs_dir: Path) -> JobFolder:
    """Where a plan runs: name and fingerprint, so that the same plan resumes and another starts afresh."""
    return JobFolder(runs_dir / plan.name / plan.fingerprint())


def training_command(folder: JobFolder, processes: int, node: Node | None = None) -> list[str]:
    """Argument list that starts ``processes`` training processes on this machine: all there are, or a node's."""
    alone = ["--standalone", f"--nproc-per-node={processes}"]
    meeting = alone if node is None or node.nodes.count == 1 else rendezvous(node)
    return [sys.executable, "-m", "torch.distributed.run", *meeting, "-m", "sixnd.runner.worker", str(folder.path)]


def training_environment(plan: Plan, threads: int) -> dict[str, str]:
    """Environment variables of the training processes, beside what is already set."""
    # Megatron and torch warn at import about every optional part that is absent. A ``tokenizers.py`` in the folder that
    # a run is started from must not be taken for the library: ``python -m`` would look there first.
    variables = {"OMP_NUM_THREADS": str(threads), "PYTHONWARNINGS": "ignore", "PYTHONSAFEPATH": "1"}
    if plan.cluster.shared_host:
        # A plan for the CPU stays on it, also beside a GPU. Nothing is compiled there, and the compiler's import is
        # a third of a rank's start.
        variables |= {"TORCHDYNAMO_DISABLE": "1", "CUDA_VISIBLE_DEVICES": ""}
    return variables | determinism_variables(plan)


def threads_for(processes: int) -> int:
    """CPU threads of each process when so many share this machine."""
    return max(1, cores() // processes)
