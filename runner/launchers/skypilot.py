"""A run as a task of SkyPilot: plain data that becomes YAML, with lines of shell whose words are quoted."""

import shlex
from pathlib import Path
from typing import Any

from sixnd.runner.launchers.cluster_job import ClusterJob, run_words
from sixnd.runner.launchers.plain_yaml import plain_yaml
from sixnd.specs.errors import SixndError
from sixnd.specs.yaml_reader import read_yaml

_PLAN = "sixnd-plan.yaml"
_NAMES = Path(__file__).parents[1] / "templates" / "skypilot-accelerators.yaml"


def task(job: ClusterJob) -> str:
    """The task, as YAML for ``sky jobs launch``; raises ``SixndError`` for what it cannot say."""
    launch = job.launch
    if launch.volume is None:
        raise SixndError(
            "a run by SkyPilot is kept on a volume that all its machines can write", "name it as launch.volume"
        )
    if "$" in str(job.folder.path):
        raise SixndError(f"SkyPilot would replace what follows the $ in {job.folder.path}", "take another --runs-dir")
    wanted = {
        "name": job.title,
        "num_nodes": job.nodes.count,
        "resources": _resources(job),
        "volumes": {launch.folder: launch.volume},
        "file_mounts": {f"~/{_PLAN}": str(job.plan_file)},
        "secrets": dict.fromkeys(launch.environment),
        "run": _shell(job),
    }
    return plain_yaml({name: value for name, value in wanted.items() if value})


def _resources(job: ClusterJob) -> dict[str, Any]:
    launch = job.launch
    gpus = {"accelerators": f"{_accelerator(job)}:{job.gpus}"} if job.gpus else {}
    machines = gpus | ({"cpus": f"{job.cpus}+"} if job.cpus else {})
    image = {"image_id": f"docker:{launch.image}"} if launch.image else {}
    spot = {"use_spot": True} if job.plan.spec.cluster.pricing == "spot" else {}
    where = {"infra": launch.infra} if launch.infra else {}
    return {**where, **machines, **image, **spot, "job_recovery": {"max_restarts_on_errors": launch.restarts}}


def _accelerator(job: ClusterJob) -> str:
    ours = job.plan.cluster.accelerator
    known = read_yaml(_NAMES.read_text("utf-8"), str(_NAMES)).data["names"]
    name = job.launch.accelerator or known.get(ours)
    if name is None:
        raise SixndError(
            f"SkyPilot's name of {ours} is not known here", "set launch.accelerator to what `sky show-gpus` calls it"
        )
    return str(name)


def _shell(job: ClusterJob) -> str:
    """What runs on each machine, in the words of its shell."""
    words = shlex.join(run_words(_PLAN, job.launch.folder, str(job.base_dir)))
    if job.nodes.count == 1:
        return f"cd ~ && exec sixnd {words}\n"
    return (
        "first=$(printf '%s\\n' \"$SKYPILOT_NODE_IPS\" | head -n 1)\n"
        f'cd ~ && exec sixnd {words} --node-rank="$SKYPILOT_NODE_RANK" --endpoint="$first:{job.nodes.port}"\n'
    )
