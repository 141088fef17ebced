"""A run that is started by hand: the command of each machine, and the ``torchrun`` that it comes to."""

import shlex
from pathlib import Path

from sixnd.runner.job import threads_for, training_command, training_environment
from sixnd.runner.launchers.cluster_job import ClusterJob, run_words
from sixnd.runner.launchers.nodes import Node

_HOST = "HOST"
"""Stands for the name of the first machine, which only the user knows."""


def commands(job: ClusterJob, document: Path) -> str:
    """What to start on each machine: one command a machine, under a comment that says which."""
    words = run_words(str(document.resolve()), str(job.runs_dir), str(job.base_dir))
    blocks = [_machine(job, words, rank) for rank in range(job.nodes.count)]
    return "\n".join([*(line for block in blocks for line in block), ""])


def _machine(job: ClusterJob, words: list[str], rank: int) -> list[str]:
    if job.nodes.count == 1:
        return ["# On this machine:", f"sixnd {shlex.join(words)}", *_started(job, None)]
    node = Node(job.nodes, rank, _HOST, job.nodes.port)
    where = [f"--node-rank={rank}", f"--endpoint={node.endpoint}"]
    told = [f"# On machine {rank}:", f"sixnd {shlex.join([*words, *where])}"]
    return [*told, *(_started(job, node) if rank == 0 else [])]


def _started(job: ClusterJob, node: Node | None) -> list[str]:
    """The training processes' start, told: what ``job.yaml`` and ``launch.sh`` of the run folder will hold."""
    command = training_command(job.folder, job.nodes.ranks_each, node)
    variables = training_environment(job.plan, threads_for(job.nodes.ranks_each))
    pairs = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    line = " ".join([*pairs, shlex.join(command)])
    return ["# which prepares the data and starts:", *(f"#   {part}" for part in line.splitlines())]
