"""What every launcher is given: one run, its machines, and the command that each of them starts."""

import re
from dataclasses import dataclass
from pathlib import Path

from sixnd.runner.job import JobFolder, job_folder
from sixnd.runner.launchers.nodes import Nodes, nodes_of
from sixnd.specs.launch import Launch
from sixnd.specs.plan import Plan


@dataclass(frozen=True)
class ClusterJob:
    """A run that other machines are to train."""

    plan: Plan
    nodes: Nodes
    folder: JobFolder
    """Of the run, where it is started from."""
    base_dir: Path
    """Where relative paths of the data start, as the machines see it."""

    @property
    def launch(self) -> Launch:
        """What the spec says of it."""
        return self.plan.spec.launch

    @property
    def runs_dir(self) -> Path:
        """Folder of all runs."""
        return self.folder.path.parent.parent

    @property
    def plan_file(self) -> Path:
        """The plan that the machines are given; the run folder's own is written by the run that holds its lock."""
        return self.folder.path / "submitted" / "plan.yaml"

    @property
    def gpus(self) -> int:
        """Of one machine; none where a plan is for the CPU."""
        return 0 if self.plan.cluster.shared_host else self.nodes.ranks_each

    @property
    def cpus(self) -> int | None:
        """To ask for on one machine; none for a machine that is taken whole."""
        return self.launch.cpus_per_node or (None if self.gpus else self.nodes.ranks_each)

    @property
    def title(self) -> str:
        """A name that Kubernetes takes: the run's with its fingerprint, short enough for what is derived from it."""
        words = re.sub(r"[^a-z0-9]+", "-", self.plan.name.lower())[:32].strip("-")
        return f"{words}-{self.plan.fingerprint()}" if words[:1].isalpha() else f"run-{self.plan.fingerprint()}"


def cluster_job(plan: Plan, runs_dir: Path, base_dir: Path) -> ClusterJob:
    """The job of a plan; raises ``SixndError`` where its processes do not fill machines."""
    return ClusterJob(plan, nodes_of(plan), job_folder(plan, runs_dir), base_dir)


def run_words(plan_file: str, runs_dir: str, base_dir: str) -> list[str]:
    """Arguments of ``sixnd`` by which each machine trains its part."""
    return ["run", plan_file, f"--runs-dir={runs_dir}", f"--base-dir={base_dir}"]
