"""A run on Kubernetes, as a JobSet or as a TrainJob of Kubeflow: plain data that becomes YAML, never text in a form.

What was checked against which version of the two APIs is told in ``docs/launchers.md``.
"""

from typing import Any

from sixnd.runner.launchers.cluster_job import ClusterJob, run_words
from sixnd.runner.launchers.plain_yaml import plain_yaml
from sixnd.specs.errors import SixndError

Manifest = dict[str, Any]

_NODE = "node"
"""Of the pods that train: JobSet's replicated job is called so by us, TrainJob's by its runtime."""
_PLAN, _PLAN_FOLDER = "plan.yaml", "/etc/sixnd"
_MOST_BYTES = 1_000_000  # of a ConfigMap, which Kubernetes holds to 1 MiB
_GRACE_S = 120
_HOPELESS = [2, 3, 4, 5]
"""Exit codes of `sixnd` that another start would end with as well: wrong calls, documents and plans."""
_GIVE_UP = {"name": "hopeless", "action": "FailJobSet", "onJobFailureReasons": ["PodFailurePolicy"]}


def jobset(job: ClusterJob) -> str:
    """The plan and a JobSet of it, as YAML for ``kubectl apply``."""
    rank, first = "$(JOB_COMPLETION_INDEX)", f"{job.title}-{_NODE}-0-0.{job.title}:{job.nodes.port}"
    container = {"name": _NODE, **_container(job, rank, first), "volumeMounts": _mounts(job)}
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": _GRACE_S,
        "containers": [container],
        "volumes": _volumes(job),
    }
    hopeless = {"containerName": _NODE, "operator": "In", "values": _HOPELESS}
    one_job = {
        "parallelism": job.nodes.count,
        "completions": job.nodes.count,
        "completionMode": "Indexed",
        "backoffLimit": 0,
        "podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": hopeless}]},
        "template": {"spec": pod},
    }
    spec = {
        "network": {"enableDNSHostnames": True, "publishNotReadyAddresses": True},
        "failurePolicy": {"maxRestarts": job.launch.restarts, "rules": [_GIVE_UP]},
        "replicatedJobs": [{"name": _NODE, "replicas": 1, "template": {"spec": one_job}}],
    }
    return _documents(job, "jobset.x-k8s.io/v1alpha2", "JobSet", spec)


def trainjob(job: ClusterJob) -> str:
    """The plan and a TrainJob of it, as YAML for ``kubectl apply``."""
    trained = _container(job, "$(PET_NODE_RANK)", "$(PET_MASTER_ADDR):$(PET_MASTER_PORT)")
    resources = trained.pop("resources", None)
    trainer = {
        **trained,
        "numNodes": job.nodes.count,
        **({"numProcPerNode": job.nodes.ranks_each, "resourcesPerNode": resources} if resources else {}),
    }
    pod = {"volumes": _volumes(job), "containers": [{"name": _NODE, "volumeMounts": _mounts(job)}]}
    replicated = [{"name": _NODE, "template": {"spec": {"template": {"spec": pod}}}}]
    spec = {
        "runtimeRef": {"name": job.launch.runtime},
        "trainer": trainer,
        "runtimePatches": [
            {
                "manager": "sixnd.io/run",
                "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": replicated}}},
            }
        ],
    }
    return _documents(job, "trainer.kubeflow.org/v1alpha1", "TrainJob", spec)


def _documents(job: ClusterJob, api: str, kind: str, spec: Manifest) -> str:
    manifest = {"apiVersion": api, "kind": kind, "metadata": _metadata(job, job.launch.queue), "spec": spec}
    return "---\n".join(map(plain_yaml, (_plan_map(job), manifest)))


def _metadata(job: ClusterJob, queue: str | None = None) -> Manifest:
    namespace = {"namespace": job.launch.namespace} if job.launch.namespace else {}
    admitted = {"kueue.x-k8s.io/queue-name": queue} if queue else {}
    labels = {"app.kubernetes.io/name": "sixnd", "app.kubernetes.io/instance": job.title, **admitted}
    return {"name": job.title, **namespace, "labels": labels}


def _plan_map(job: ClusterJob) -> Manifest:
    """The plan, as a file that every pod sees; raises ``SixndError`` for one that is too long for that."""
    text = job.plan.to_yaml()
    if len(text.encode()) > _MOST_BYTES:
        raise SixndError(
            f"the plan has {len(text.encode()):,} bytes, and Kubernetes holds {_MOST_BYTES:,} in a ConfigMap",
            "put it on the volume and start `sixnd run` there by hand",
        )
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(job), "data": {_PLAN: text}}


def _container(job: ClusterJob, rank: str, endpoint: str) -> Manifest:
    """Image, command and environment of the container that trains; the pod expands ``rank`` and ``endpoint``."""
    if job.launch.image is None:
        raise SixndError("Kubernetes runs an image", "name one that has sixnd as launch.image")
    words = run_words(f"{_PLAN_FOLDER}/{_PLAN}", job.launch.folder, str(job.base_dir))
    where = [] if job.nodes.count == 1 else [f"--node-rank={rank}", f"--endpoint={endpoint}"]
    gpus = {"nvidia.com/gpu": str(job.gpus)}
    return {
        "image": job.launch.image,
        "command": ["sixnd"],
        "args": [*map(literal, words), *where],
        **({"env": _environment(job)} if job.launch.environment else {}),
        **({"resources": {"limits": gpus, "requests": gpus}} if job.gpus else {}),
    }


def literal(word: str) -> str:
    """A word as a container's command has it: Kubernetes would expand ``$(NAME)`` in it, and halve ``$$``."""
    return word.replace("$", "$$")


def _environment(job: ClusterJob) -> list[Manifest]:
    secret = job.launch.secret
    if secret is None:
        raise SixndError(
            "launch.environment names variables, and Kubernetes takes their values from a secret",
            "name it as launch.secret",
        )
    return [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": name}}} for name in job.launch.environment
    ]


def _volumes(job: ClusterJob) -> list[Manifest]:
    """The plan, the volume of the runs, and shared memory, of which a container has 64 MiB and NCCL wants more."""
    if job.launch.volume is None:
        raise SixndError(
            "a run on Kubernetes is kept on a volume that all its machines can write", "name its claim as launch.volume"
        )
    return [
        {"name": "plan", "configMap": {"name": job.title}},
        {"name": "runs", "persistentVolumeClaim": {"claimName": job.launch.volume}},
        {"name": "shm", "emptyDir": {"medium": "Memory"}},
    ]


def _mounts(job: ClusterJob) -> list[Manifest]:
    return [
        {"name": "plan", "mountPath": _PLAN_FOLDER, "readOnly": True},
        {"name": "runs", "mountPath": job.launch.folder},
        {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108
    ]
