"""The tasks of a step as array jobs of Slurm, by datatrove's executor, watched until they end."""

import hashlib
import os
import shlex
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

from datatrove.executor.slurm import SlurmPipelineExecutor
from pydantic import Field

from sixnd.runner.data.cluster import Launches, TaskStep
from sixnd.runner.data.executors import Act, StepProgress
from sixnd.runner.data.tasks import run_task
from sixnd.runner.data.work import Step
from sixnd.runner.launchers.sbatch_words import directive
from sixnd.specs.document import Document
from sixnd.specs.errors import SixndError

_TRIES, _AGAIN_AFTER_S = 20, 3.0  # looks at the queue in a row that may fail: a restarted controller comes back

_SlurmName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.,@-]+$")]
_Positive = Annotated[int, Field(ge=1)]


class SlurmSettings(Document):
    """What is asked of Slurm for every task; raises ``ValueError`` for what ``sbatch`` would read otherwise."""

    partition: _SlurmName
    """Where the jobs run; several names with commas."""
    time: Annotated[str, Field(pattern=r"^[0-9:-]+$")] = "04:00:00"
    """Limit of one job, as ``sbatch --time`` takes it."""
    cpus: _Positive = 1
    """Of one task; more than one are of use where a single task searches all documents."""
    memory_gb_per_cpu: _Positive = 4
    at_once: _Positive | None = None
    """Jobs of a step that may run at the same time."""
    tasks_per_job: _Positive = 1
    """Tasks that one job runs one after another: more of them mean fewer, longer jobs."""
    most_in_array: _Positive = 1001
    """The cluster's ``MaxArraySize``; a step of more jobs becomes several arrays."""
    account: _SlurmName | None = None
    qos: _SlurmName | None = None
    poll_s: Annotated[float, Field(gt=0)] = 10.0
    """Seconds between looks at the queue."""


def run_slurm(
    folder: Path, step: Step, settings: SlurmSettings, *, progress: StepProgress | None = None, act: Act = run_task
) -> None:
    """Run the tasks of a step that are not done as jobs of Slurm, and wait for them.

    Jobs that an interrupted command left in the queue are waited for, not submitted again. Ctrl-C cancels them. Raises
    ``SixndError`` where tasks did not finish, with what they and Slurm say.
    """
    launches = Launches(folder.resolve(), step)
    watch, queue = launches.watch(progress), _Queue(_job_name(launches))
    if not launches.missing():
        return
    if not queue.alive():
        _launch(launches, settings, act, queue.name)
    try:
        while queue.alive(_TRIES):
            watch.tell(launches.done())
            time.sleep(settings.poll_s)
    except KeyboardInterrupt:
        queue.cancel()
        raise
    launches.check(queue.told())
    watch.tell(launches.done())


def _job_name(launches: Launches) -> str:
    """By it the jobs of this folder and step are found again in the queue."""
    return f"sixnd-{hashlib.sha256(str(launches.path).encode()).hexdigest()[:16]}"


def _launch(launches: Launches, settings: SlurmSettings, act: Act, name: str) -> None:
    missing = launches.missing()
    executor = _Executor(
        pipeline=[TaskStep(launches.folder, launches.step.name, missing, settings.cpus, act)],
        tasks=len(missing),
        time=settings.time,
        partition=settings.partition,
        cpus_per_task=settings.cpus,
        mem_per_cpu_gb=settings.memory_gb_per_cpu,
        workers=settings.at_once or -1,
        job_name=name,
        qos=settings.qos,
        sbatch_args={"chdir": str(launches.folder)} | ({"account": settings.account} if settings.account else {}),
        max_array_size=settings.most_in_array,
        max_array_launch_parallel=settings.at_once is None,
        logging_dir=str(launches.begin()),
        tasks_per_job=settings.tasks_per_job,
    )
    try:
        executor.launch_job()
    except FileNotFoundError as error:
        raise SixndError("there is no sbatch here", "run this where jobs of Slurm are submitted") from error
    except subprocess.CalledProcessError as error:
        raise SixndError("sbatch refused the job", "change what it says above, and submit again") from error


class _Executor(SlurmPipelineExecutor):
    """datatrove's, whose job script quotes what it is given and runs this very interpreter."""

    def get_launch_file_contents(self, sbatch_args: dict[str, Any], run_script: str) -> str:  # noqa: ARG002
        """The job script. Without ``srun``, which since Slurm 22.05 gives its step one CPU of those of the job."""
        logs = self.slurm_logs_folder
        arguments = {name: str(value).replace(logs, logs.replace("%", "%%")) for name, value in sbatch_args.items()}
        directives = [directive(name, value or None) for name, value in arguments.items()]
        pickled = self.logging_dir.resolve_paths("executor.pik")
        command = shlex.join([sys.executable, "-m", "datatrove.tools.launch_pickled_pipeline", pickled])
        return "\n".join(["#!/bin/bash", *directives, f"exec {command}", ""])

    def launch_merge_stats(self) -> None:
        """Nothing: the tasks write accounts of their own, and a job to add up datatrove's would be one too many."""


class _Queue:
    """What Slurm says of this user's jobs of one name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._seen: set[str] = set()

    def alive(self, tries: int = 1) -> bool:
        """Whether some wait or run; raises ``SixndError`` when that many questions had no answer."""
        try:
            answer = self._ask()
        except SixndError:
            if tries <= 1:
                raise
            time.sleep(_AGAIN_AFTER_S)
            return self.alive(tries - 1)
        self._seen |= {job for job, _ in answer}
        return bool(answer)

    def told(self) -> str:
        """How the jobs that were seen ended, where not well; Slurm forgets it after some minutes."""
        ended = Counter(state for job, state in self._ask("--states=all") if job in self._seen)
        return ", ".join(f"{count} {state.lower()}" for state, count in sorted(ended.items()) if state != "COMPLETED")

    def cancel(self) -> None:
        """End them all."""
        subprocess.run(["scancel", f"--user={os.getuid()}", f"--name={self.name}"], check=False)  # noqa: S607

    def _ask(self, *more: str) -> list[tuple[str, str]]:
        """Array's number and state of each job."""
        command = ["squeue", "--me", f"--name={self.name}", "--noheader", "--array", "--format=%F %T", *more]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        except FileNotFoundError as error:
            raise SixndError("there is no squeue here", "run this where jobs of Slurm are submitted") from error
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            told = str(error.stderr or error).strip().splitlines()[-1]
            raise SixndError(
                f"Slurm does not answer ({told})", f"jobs of {self.name} go on where there are some"
            ) from error
        return [(job, state) for job, _, state in (line.partition(" ") for line in answer.stdout.splitlines())]
