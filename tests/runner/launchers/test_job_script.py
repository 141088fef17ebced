"""The job script of Slurm, run by bash with stand-ins for Slurm's programs: more machines than a test has."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from sixnd.runner.launchers import slurm
from sixnd.runner.launchers.cluster_job import ClusterJob, cluster_job
from sixnd.runner.supervision.stopping import stop_request
from tests.runner import tiny
from tests.runner.cluster import launched, on_gpus

SRUN = """
[[ "$*" == *launchers.again* ]] || printf '%s\\0' "$@" > "$0.asked"
while [[ $1 == -* ]]; do shift; done
SLURM_NODEID=1 exec "$@"
"""
SRUN_UNTIL_ASKED = """
touch "$0.asked"
while [ ! -f "$RUN/stop-request" ]; do sleep 0.1; done
exit 7
"""
SCONTROL = """
[[ $1 == show ]] && printf 'node 1\\n' | tr -d ' ' && echo node2
[[ $1 == requeue ]] && echo "$2" > "$0.requeued"
"""


@pytest.fixture
def job(tmp_path: Path) -> ClusterJob:
    plan = launched(on_gpus(tiny.plan(tiny.layout(tensor=4, pipeline=2, data=2))))
    made = cluster_job(plan, tmp_path / "runs $HOME 'x'", tmp_path)
    made.folder.path.mkdir(parents=True)
    return made


def started(job: ClusterJob, folder: Path, srun: str) -> subprocess.Popen[str]:
    for name, body in (("srun", srun), ("scontrol", SCONTROL)):
        (folder / name).write_text(f"#!/bin/bash\n{body}")
        (folder / name).chmod(0o755)
    script = folder / "job.sh"
    script.write_text(slurm.script(job))
    slurms = {"SLURM_JOB_ID": "17", "SLURM_JOB_NODELIST": "node[1-2]", "SLURM_CPUS_ON_NODE": "8"}
    environment = os.environ | slurms | {"PATH": f"{folder}:{os.environ['PATH']}", "RUN": str(job.folder.path)}
    return subprocess.Popen(["bash", script], env=environment, stderr=subprocess.PIPE, text=True)


def test_each_machine_is_told_its_rank_and_the_first_one(job: ClusterJob, tmp_path: Path) -> None:
    process = started(job, tmp_path, SRUN)
    told = process.communicate(timeout=120)[1]
    asked = (tmp_path / "srun.asked").read_bytes().decode().split("\0")
    assert asked[:2] == ["--kill-on-bad-exit=1", "--cpus-per-task=8"]
    assert "--endpoint=node1:29400" in asked
    assert f"--runs-dir={job.runs_dir}" in asked
    assert f"{job.plan_file}:1:1: cannot be read" in told, "`sixnd run` was given the plan, which is not there"
    assert process.returncode == 3
    assert "nothing was trained in this job" in told
    assert not (tmp_path / "scontrol.requeued").exists()


def test_an_announced_end_becomes_a_request_and_the_job_is_queued_again(job: ClusterJob, tmp_path: Path) -> None:
    process = started(job, tmp_path, SRUN_UNTIL_ASKED)
    while not (tmp_path / "srun.asked").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGUSR1)
    told = process.communicate(timeout=120)[1]
    assert stop_request(job.folder.path) == "Slurm announced the end of its job"
    assert "queued again" in told
    assert (tmp_path / "scontrol.requeued").read_text() == "17\n"
