"""The machines of a run: how many, and which of them this one is."""

import re
from dataclasses import dataclass

from sixnd.specs import catalog
from sixnd.specs.errors import SixndError
from sixnd.specs.plan import Plan

_ENDPOINT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):([0-9]{1,5})")


@dataclass(frozen=True)
class Nodes:
    """So many machines with so many training processes each."""

    count: int
    ranks_each: int
    port: int


@dataclass(frozen=True)
class Node:
    """One machine of a run of several. The first one prepares, records and is where the others meet."""

    nodes: Nodes
    rank: int
    """0 for the first."""
    host: str
    """Name or address of the first."""
    port: int

    @property
    def first(self) -> bool:
        """Whether this one leads."""
        return self.rank == 0

    @property
    def endpoint(self) -> str:
        """Where the machines meet, as ``torchrun`` takes it."""
        return f"{self.host}:{self.port}"


def nodes_of(plan: Plan) -> Nodes:
    """The machines of a plan; raises ``SixndError`` where its processes do not fill them evenly."""
    launch, world = plan.spec.launch, plan.layout.world_size
    each = min(launch.ranks_per_node or _ranks_of_a_machine(plan), world)
    if world % each:
        raise SixndError(
            f"{world} training processes do not fill machines of {each}",
            f"set launch.ranks_per_node to a divisor of {world}, or plan with another count of accelerators",
        )
    return Nodes(world // each, each, launch.port)


def _ranks_of_a_machine(plan: Plan) -> int:
    if plan.cluster.shared_host:
        return plan.layout.world_size
    return catalog.accelerator(plan.cluster.accelerator).scale_up_ranks


def this_node(plan: Plan, rank: int, endpoint: str) -> Node:
    """The machine of that rank; raises ``SixndError`` for one that the plan does not have."""
    nodes = nodes_of(plan)
    if not 0 <= rank < nodes.count:
        raise SixndError(
            f"--node-rank is {rank}, and this plan runs on {_counted(nodes.count)}", f"give 0 to {nodes.count - 1}"
        )
    found = _ENDPOINT.fullmatch(endpoint)
    if found is None or not 1 <= int(found[2]) <= 65535:
        raise SixndError(f"--endpoint is {endpoint!r}", f"give the first machine as HOST:PORT, e.g. node1:{nodes.port}")
    return Node(nodes, rank, found[1], int(found[2]))


def _counted(machines: int) -> str:
    return "1 machine" if machines == 1 else f"{machines} machines"


def rendezvous(node: Node) -> list[str]:
    """``torchrun``'s arguments by which the machines of a run find each other.

    Whether a machine hosts the meeting is said, not guessed from its name: in a container the guess is often wrong.
    ``torchrun`` numbers the processes of one machine in a row, so that tensor parallelism stays inside it; which
    machine gets which row, the meeting decides.
    """
    return [
        f"--nnodes={node.nodes.count}",
        f"--nproc-per-node={node.nodes.ranks_each}",
        "--rdzv-backend=c10d",
        f"--rdzv-endpoint={node.endpoint}",
        "--rdzv-id=sixnd",
        f"--rdzv-conf=is_host={'true' if node.first else 'false'}",
    ]
