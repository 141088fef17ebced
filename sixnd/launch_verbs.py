"""`sixnd run` on other machines than this one alone: by a launcher, or as one machine of several."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sixnd.console import print_result, tell

if TYPE_CHECKING:
    from sixnd.runner.launchers.nodes import Node
    from sixnd.specs.plan import Plan

LAUNCHERS = ("torchrun", "slurm", "k8s-jobset", "k8s-trainjob", "skypilot")
_IN_IMAGES = ("k8s-jobset", "k8s-trainjob", "skypilot")


@dataclass(frozen=True)
class Launching:
    """What the command line says of where a run is started."""

    launcher: str
    dry_run: bool
    node_rank: int | None
    endpoint: str | None

    @property
    def is_here(self) -> bool:
        """Whether this machine trains."""
        return self.launcher == "torchrun" and not self.dry_run

    def node(self, plan: "Plan") -> "Node | None":
        """Which of several machines this is; none where it is the only one."""
        from sixnd.runner.launchers.nodes import this_node
        from sixnd.runner.launchers.submission import refuse_several

        if self.node_rank is None and self.endpoint is None:
            if plan.spec.launch.ranks_per_node is not None:
                refuse_several(plan)
            return None
        if self.node_rank is None or self.endpoint is None:
            raise click.UsageError("--node-rank and --endpoint belong together")
        return this_node(plan, self.node_rank, self.endpoint)


def launch_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options that say where a run is started; it takes them as one ``launching``."""

    def gathered(launcher: str, dry_run: bool, node_rank: int | None, endpoint: str | None, **rest: Any) -> Any:
        return command(launching=Launching(launcher, dry_run, node_rank, endpoint), **rest)

    gathered.__doc__, gathered.__name__ = command.__doc__, command.__name__
    options = [
        click.option(
            "--launcher",
            type=click.Choice(LAUNCHERS),
            default="torchrun",
            help="What starts the run (default: torchrun, on this machine).",
        ),
        click.option("--dry-run", is_flag=True, help="Print what would be started, and write nothing."),
        click.option("--node-rank", type=int, help="Of several machines, which this one is: 0 is the first."),
        click.option("--endpoint", metavar="HOST:PORT", help="Of several machines, the first one's."),
    ]
    for option in reversed(options):
        gathered = option(gathered)
    return gathered


def start_elsewhere(
    plan: "Plan", launching: Launching, *, document: Path, runs_dir: Path, base_dir: Path | None
) -> int:
    """Print what would be started, or write and submit it."""
    from sixnd.runner.launchers.submission import rendered, submitted

    in_image = launching.launcher in _IN_IMAGES  # which sees the volume, and nothing of this machine
    here, there = (base_dir or document.parent).resolve(), base_dir or Path(plan.spec.launch.folder)
    base = there if in_image else here
    if launching.dry_run:
        print_result(rendered(plan, document, launching.launcher, runs_dir, base).rstrip("\n"))
        return 0
    file, outcome = submitted(plan, launching.launcher, runs_dir, base)
    if launching.launcher == "slurm":
        tell(f"submitted {file}; `sixnd status {file.parent}` tells how far it is")
        print_result(outcome)
    else:
        tell(f"wrote {file}; submit it with:")
        print_result(f"{outcome} {shlex.quote(str(file))}{_secrets(plan, launching)}")
    return 0


def _secrets(plan: "Plan", launching: Launching) -> str:
    names = plan.spec.launch.environment if launching.launcher == "skypilot" else []
    return "".join(f" --secret {name}" for name in names)


def join(plan: "Plan", node: "Node", runs_dir: Path) -> int:
    """Train this machine's part of a run that another leads."""
    from sixnd.runner.launchers.joining import join_run
    from sixnd.specs.errors import RunFailedError

    try:
        join_run(plan, node, runs_dir=runs_dir, say=tell)
    except RunFailedError as error:
        tell(f"sixnd: {error}; the first machine's record tells why")
        return error.exit_code
    except KeyboardInterrupt:
        tell("sixnd: interrupted; the first machine decides what follows")
        return 130
    return 0
