"""A run as a job of Slurm: one script, that starts ``sixnd run`` on each machine and queues itself again."""

import math
import shlex
import subprocess
import sys
from pathlib import Path

from sixnd.runner.launchers.again import ANNOUNCED
from sixnd.runner.launchers.cluster_job import ClusterJob, run_words
from sixnd.runner.launchers.sbatch_words import directive, log_path
from sixnd.runner.supervision.stopping import REQUEST
from sixnd.specs.errors import SixndError

_LOG = "slurm-%j.out"

_START = """\
# What announces the end of the job comes to this script alone, which asks the run by a file in its folder: a signal
# that `srun` passed on would reach the training processes' starter too, and end it.
set -u
began=$EPOCHSECONDS
asked=''
ended=''
# shellcheck disable=SC2329  # the trap calls it
ask() {
  asked=yes
  printf '%s' "$reason" > "$run/.$request.$SLURM_JOB_ID" && mv "$run/.$request.$SLURM_JOB_ID" "$run/$request"
}
trap ask USR1
trap 'ended=yes' TERM
"""

_WAIT = """\
step=$!
while true; do
  wait "$step"
  code=$?
  # A signal ends `wait` early.
  kill -0 "$step" 2> /dev/null || break
done
"${judge[@]}" "--since=$began" ${asked:+--asked} && again=yes || again=''
# Cancelled, or preempted without an announcement: Slurm has decided what follows, and ends this script, too.
while [ -n "$ended" ]; do
  sleep 1
done
if [ -n "$again" ]; then
  exec scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
"""


def script(job: ClusterJob) -> str:
    """The job script, for ``sbatch``. It can be submitted by hand, and again."""
    run = job.folder.path
    words = [*_sixnd(job), *run_words(str(job.plan_file), str(job.runs_dir), str(job.base_dir))]
    again = [*_program(job), "-m", "sixnd.runner.launchers.again", str(run)]
    return "\n".join(
        [
            "#!/bin/bash",
            *_directives(job),
            "",
            f"run={shlex.quote(str(run))}",
            f"request={shlex.quote(REQUEST)}",
            f"reason={shlex.quote(ANNOUNCED)}",
            _array("command", words),
            _array("judge", [*_alone(job), *again]),
            *_endpoint(job),
            _START + _step(job) + _WAIT,
        ]
    )


def _directives(job: ClusterJob) -> list[str]:
    launch = job.launch
    asked = {
        "job-name": job.plan.name,
        "partition": launch.partition,
        "account": launch.account,
        "qos": launch.qos,
        "nodes": job.nodes.count,
        "ntasks-per-node": 1,
        "gpus-per-node": job.gpus or None,
        "cpus-per-task": job.cpus,
        "time": None if launch.time is None else math.ceil(launch.time / 60),
        "signal": f"B:USR1@{math.ceil(launch.notice)}",
        "exclude": ",".join(launch.exclude) or None,
        "output": log_path(str(job.folder.logs_path), _LOG),
        "open-mode": "append",
    }
    alone = [] if job.cpus else [directive("exclusive")]
    return [*(directive(name, value) for name, value in asked.items() if value), *alone, directive("requeue")]


def _array(name: str, words: list[str]) -> str:
    return "\n".join([f"{name}=(", *(f"  {shlex.quote(word)}" for word in words), ")"])


def _program(job: ClusterJob) -> list[str]:
    """The interpreter: this one, or that of the container."""
    return ["python3"] if job.launch.container else [sys.executable]


def _sixnd(job: ClusterJob) -> list[str]:
    return [*_container(job), *_program(job), "-m", "sixnd.cli"]


def _alone(job: ClusterJob) -> list[str]:
    """What looks at the record after the run: in the container, on one machine."""
    if job.launch.container is None:
        return []
    return ["srun", "--nodes=1", "--ntasks=1", *_pyxis(job), *_container(job)]


def _mounts(job: ClusterJob) -> list[str]:
    """Folders that a container must see: runs, text, and what the spec names.

    Raises ``SixndError`` for paths that a mount cannot name.
    """
    folders = list(dict.fromkeys([str(job.runs_dir), str(job.base_dir), *job.launch.mounts]))
    odd = [folder for folder in folders if any(character in folder for character in ":,\n")]
    if odd:
        raise SixndError(
            f"a container cannot be shown {odd[0]!r}: its path has a colon, a comma or a line break",
            "take another path",
        )
    return folders


def _pyxis(job: ClusterJob) -> list[str]:
    """``srun``'s options that start a container by pyxis."""
    if job.launch.container is None or job.launch.container_runtime != "pyxis":
        return []
    mounts = ",".join(f"{folder}:{folder}" for folder in _mounts(job))
    names = ",".join(job.launch.environment)
    passed = [f"--container-env={names}"] if names else []
    return [f"--container-image={job.launch.container}", f"--container-mounts={mounts}", *passed]


def _container(job: ClusterJob) -> list[str]:
    """The words before a command that start it in a container by apptainer."""
    if job.launch.container is None or job.launch.container_runtime != "apptainer":
        return []
    binds = [word for folder in _mounts(job) for word in ("--bind", folder)]
    return ["apptainer", "exec", *(["--nv"] if job.gpus else []), *binds, job.launch.container]


def _endpoint(job: ClusterJob) -> list[str]:
    if job.nodes.count == 1:
        return []
    first = '$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)'
    return [f'endpoint="{first}:{job.nodes.port}"']


def _step(job: ClusterJob) -> str:
    """The line that starts the run on all machines; each takes all CPUs that the job has there."""
    options = ["srun", "--kill-on-bad-exit=1", '"--cpus-per-task=$SLURM_CPUS_ON_NODE"', *map(shlex.quote, _pyxis(job))]
    if job.nodes.count == 1:
        words = ['"${command[@]}"', "&"]
    else:
        each = 'exec "$@" "--node-rank=$SLURM_NODEID"'
        words = ["sh", "-c", f"'{each}'", "sixnd", '"${command[@]}"', '"--endpoint=$endpoint"', "&"]
    hint = "# shellcheck disable=SC2016  # the shell of each machine expands it\n" if job.nodes.count > 1 else ""
    return hint + " ".join([*options, *words]) + "\n"


def submit(file: Path) -> str:
    """Submit a job script; return the job's number."""
    try:
        done = subprocess.run(["sbatch", "--parsable", str(file)], capture_output=True, text=True, check=True)  # noqa: S607
    except FileNotFoundError as error:
        raise SixndError("there is no sbatch here", f"submit {file} where there is") from error
    except subprocess.CalledProcessError as error:
        raise SixndError(
            f"sbatch refused {file}: {error.stderr.strip()}", "change the spec's `launch`, and submit again"
        ) from error
    return done.stdout.strip().split(";")[0]
