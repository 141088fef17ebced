"""What a spec says of where and how its run is started: nothing of it changes the plan or the model."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from sixnd.specs.document import Document
from sixnd.specs.errors import SixndError
from sixnd.specs.quantity import WHOLE, Seconds


@dataclass(frozen=True)
class _Written:
    """A string of that pattern; what is not is told in those words."""

    pattern: str
    words: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> Any:
        return handler(schema) | {"pattern": f"^{self.pattern}$"}

    def _checked(self, value: str) -> str:
        if not re.fullmatch(self.pattern, value):
            raise SixndError(f"{value!r} cannot be taken", f"give {self.words}")
        return value


SlurmName = Annotated[
    str, _Written(r"[A-Za-z0-9_.,@-]{1,255}", "names of letters, digits and ._@-, several with commas")
]
SlurmNodes = Annotated[
    str, _Written(r"[A-Za-z0-9_.\[\],-]{1,1024}", "nodes as Slurm writes them: node7 or node[1-3,9]")
]
KubernetesName = Annotated[
    str,
    _Written(
        r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "a name of Kubernetes: lower-case letters, digits and dashes, at most 63"
    ),
]
Variable = Annotated[str, _Written(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable, without a value")]
Image = Annotated[str, _Written(r"[^\s\x00-\x1f\x7f-][^\s\x00-\x1f\x7f]{0,1023}", "an image without blanks")]
Folder = Annotated[str, _Written(r"/[^\x00-\x1f\x7f:,]{0,1023}", "an absolute path without colon, comma or line break")]
Infra = Annotated[str, _Written(r"[A-Za-z0-9*/_.:@-]{1,255}", "cloud, region and zone, such as aws/us-east-1")]
AcceleratorName = Annotated[str, _Written(r"[A-Za-z0-9._-]{1,64}", "SkyPilot's name of an accelerator, such as H100")]


class Launch(Document):
    """How `sixnd run --launcher` starts the run; on this machine nothing of it is needed."""

    ranks_per_node: Annotated[int, Field(ge=1), WHOLE] | None = None
    """Training processes of one machine. By default as many as share fast links (8 on an H100 node), and on a CPU all
    of them."""
    cpus_per_node: Annotated[int, Field(ge=1), WHOLE] | None = None
    """Slurm and SkyPilot: CPUs to ask for on one machine. By default the whole machine where it has accelerators, else
    one a training process."""
    port: Annotated[int, Field(ge=1024, le=65535), WHOLE] = 29400
    """Port of the first machine at which the others meet it."""
    environment: list[Variable] = Field(default_factory=list)
    """Names of environment variables to hand on. Values stay out of the spec: Slurm and SkyPilot take them from where
    the job is submitted, Kubernetes from `secret`."""
    partition: SlurmName | None = None
    """Slurm: where the job runs; several names with commas."""
    account: SlurmName | None = None
    """Slurm: what the time is charged to."""
    qos: SlurmName | None = None
    """Slurm: quality of service."""
    time: Seconds | None = None
    """Slurm: limit of one job, e.g. `24 hours`; the run goes on in the next one. By default the partition's."""
    notice: Annotated[Seconds, Field(ge=0)] = 300.0
    """Slurm: how long before the limit the run is asked to save a checkpoint and end."""
    exclude: list[SlurmNodes] = Field(default_factory=list)
    """Slurm: nodes not to run on, e.g. `node[3-5]`."""
    container: Image | None = None
    """Slurm: image to run in, for `container_runtime`."""
    container_runtime: Literal["pyxis", "apptainer"] = "pyxis"
    """Slurm: `pyxis` (enroot, by `srun --container-image`) or `apptainer`."""
    mounts: list[Folder] = Field(default_factory=list)
    """Slurm with a container: folders that it sees beside the run's own, such as that of the text."""
    image: Image | None = None
    """Kubernetes and SkyPilot: image that has sixnd and what it trains with."""
    namespace: KubernetesName | None = None
    """Kubernetes: where the job lives."""
    queue: KubernetesName | None = None
    """Kubernetes: Kueue's local queue that admits the job."""
    volume: KubernetesName | None = None
    """Kubernetes: claim of the volume that holds the runs, which all machines can write at once; SkyPilot: the volume's
    name."""
    folder: Folder = "/runs"
    """Kubernetes and SkyPilot: where the volume is mounted; data paths start there as well."""
    secret: KubernetesName | None = None
    """Kubernetes: the Secret that has the values of `environment`."""
    runtime: KubernetesName = "torch-distributed"
    """Kubeflow: the ClusterTrainingRuntime that a TrainJob builds on."""
    restarts: Annotated[int, Field(ge=0, le=1000), WHOLE] = 10
    """Kubernetes and SkyPilot: how often the job is started again after a failure. Slurm starts it again as long as
    each start gets to a new checkpoint."""
    infra: Infra | None = None
    """SkyPilot: cloud, region and zone, e.g. `aws/us-east-1`; by default the cheapest that has the machines."""
    accelerator: AcceleratorName | None = None
    """SkyPilot: its name of the accelerator (`sky show-gpus`), where sixnd does not know it."""
