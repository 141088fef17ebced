"""Several machines of one run, played by processes of this one that meet on loopback."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sixnd.cli import main
from sixnd.runner.job import job_folder, training_command
from sixnd.runner.launch import run_plan
from sixnd.runner.launchers.nodes import Node, nodes_of, this_node
from sixnd.specs.errors import SixndError
from sixnd.specs.plan import Plan
from sixnd.specs.record import End, read_record
from tests.runner import tiny
from tests.runner.cluster import launched, written
from tests.runner.conftest import ROOT, sources


def two_machines(**settings: object) -> Plan:
    made = tiny.plan(tiny.layout(pipeline=2), sources=sources(6))
    return launched(made, ranks_per_node=1, **settings)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.integration
def test_two_machines_train_to_the_losses_of_one(tmp_path: Path) -> None:
    plan = two_machines()
    alone = run_plan(launched(plan), runs_dir=tmp_path / "alone", base_dir=ROOT, progress=False)
    file, runs = written(plan, tmp_path / "plan.yaml"), tmp_path / "together"
    words = [sys.executable, "-m", "sixnd.cli", "run", str(file), f"--runs-dir={runs}", f"--base-dir={ROOT}", "--quiet"]
    where = f"--endpoint=127.0.0.1:{free_port()}"
    second = subprocess.Popen([*words, "--node-rank=1", where], stderr=subprocess.PIPE, text=True)
    first = subprocess.run([*words, "--node-rank=0", where], capture_output=True, text=True, timeout=500, check=False)
    told = second.communicate(timeout=100)[1]
    assert (first.returncode, second.returncode) == (0, 0), first.stderr[-3000:] + told
    assert "machine 1 waits for the first one" in told
    record = read_record(job_folder(plan, runs).record_path)
    assert record.last(End).status == "finished"
    losses = [step.loss for step in read_record(alone / "record.jsonl").steps()]
    assert [step.loss for step in record.steps()] == losses
    assert (job_folder(plan, runs).logs_path / "attempt-1-machine-1.log").is_file()


def test_each_machine_says_by_its_rank_who_hosts_the_meeting(tmp_path: Path) -> None:
    plan = two_machines()
    for rank, host in ((0, "true"), (1, "false")):
        command = training_command(job_folder(plan, tmp_path), 1, this_node(plan, rank, "node1:1234"))
        assert f"--rdzv-conf=is_host={host}" in command
        assert "--rdzv-endpoint=node1:1234" in command
    alone = training_command(job_folder(plan, tmp_path), 2, Node(nodes_of(launched(plan)), 0, "node1", 1234))
    assert "--standalone" in alone


@pytest.mark.parametrize(
    ("rank", "endpoint", "told"),
    [(2, "node1:1", "2 machines; give 0 to 1"), (0, "node1", "HOST:PORT"), (0, "a b:1", "HOST:PORT"),
     (0, "node1:99999", "HOST:PORT")],
)  # fmt: skip
def test_a_machine_that_the_plan_has_not_is_refused(rank: int, endpoint: str, told: str) -> None:
    with pytest.raises(SixndError, match=told):
        this_node(two_machines(), rank, endpoint)


def test_a_plan_for_several_machines_is_not_started_as_if_there_were_one(tmp_path: Path, capsys) -> None:
    file = written(two_machines(), tmp_path / "plan.yaml")
    assert main(["run", str(file), "--runs-dir", str(tmp_path / "runs")]) == 1
    assert "2 machines; start it on each" in capsys.readouterr().err
    assert main(["run", str(file), "--runs-dir", str(tmp_path / "runs"), "--node-rank", "0"]) == 2
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("launcher", ["torchrun", "slurm", "k8s-jobset", "k8s-trainjob", "skypilot"])
def test_a_dry_run_prints_and_writes_nothing(launcher: str, tmp_path: Path, capsys) -> None:
    file = written(two_machines(image="sixnd", volume="shared"), tmp_path / "plan.yaml")
    words = ["run", str(file), "--runs-dir", str(tmp_path / "runs"), "--launcher", launcher, "--dry-run"]
    assert main(words) == 0
    assert "--node-rank" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plan.yaml"]


@pytest.mark.parametrize(
    ("launcher", "file", "words"),
    [
        ("k8s-jobset", "jobset.yaml", "kubectl apply -f "),
        ("k8s-trainjob", "trainjob.yaml", "kubectl apply -f "),
        ("skypilot", "skypilot.yaml", "sky jobs launch "),
    ],
)
def test_what_a_person_submits_is_written_beside_the_plan(launcher, file, words, tmp_path: Path, capsys) -> None:
    plan = two_machines(image="sixnd", volume="shared")
    runs = tmp_path / "runs"
    assert main(["run", str(written(plan, tmp_path / "p.yaml")), "--runs-dir", str(runs), "--launcher", launcher]) == 0
    submitted = job_folder(plan, runs).path / "submitted"
    assert capsys.readouterr().out.strip() == f"{words}{submitted / file}"
    assert (submitted / "plan.yaml").read_text() == plan.to_yaml()
    assert (submitted / file).is_file()


def test_sbatch_is_given_the_script_and_its_refusal_is_told(tmp_path: Path, monkeypatch, capsys) -> None:
    plan, runs = two_machines(partition="gpu"), tmp_path / "runs"
    words = ["run", str(written(plan, tmp_path / "plan.yaml")), "--runs-dir", str(runs), "--launcher", "slurm"]
    fake = written_program(tmp_path / "bin" / "sbatch", 'echo "$@" > "$0.asked"; echo "17;cluster"')
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    assert main(words) == 0
    assert capsys.readouterr().out == "17\n"
    script = job_folder(plan, runs).path / "submitted" / "slurm.sh"
    assert (tmp_path / "bin" / "sbatch.asked").read_text() == f"--parsable {script}\n"
    written_program(fake, "echo no such partition >&2; exit 1")
    assert main(words) == 1
    assert "no such partition" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(words) == 1
    assert "there is no sbatch here" in capsys.readouterr().err


def written_program(file: Path, body: str) -> Path:
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    return file
