"""Plans for several machines, tiny or for GPUs, that `sixnd run` takes from a file."""

from pathlib import Path
from typing import Any

from sixnd.specs import catalog
from sixnd.specs.launch import Launch
from sixnd.specs.plan import Plan


def launched(plan: Plan, name: str = "tiny", **launch: Any) -> Plan:
    """The plan under that name with these launch settings, as if it had been made from a spec that has them."""
    spec = plan.spec.model_copy(update={"name": name, "launch": Launch.model_validate(launch)})
    digests = {"spec_sha256": spec.digest(), "catalog_sha256": catalog.sha256()}
    return plan.model_copy(update={"name": name, "spec": spec, **digests})


def on_gpus(plan: Plan) -> Plan:
    """The same plan for H100s."""
    return plan.model_copy(
        update={"cluster": plan.cluster.model_copy(update={"accelerator": "h100-sxm", "shared_host": False})}
    )


def written(plan: Plan, file: Path) -> Path:
    """The plan as a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(plan.to_yaml(), "utf-8")
    return file
