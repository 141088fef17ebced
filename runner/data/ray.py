"""The tasks of a step on Ray, by datatrove's executor."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import ray
from datatrove.executor.ray import RayPipelineExecutor
from pydantic import Field

from sixnd.runner.data.cluster import Launches, TaskStep
from sixnd.runner.data.executors import Act, StepProgress, StepWatch
from sixnd.runner.data.tasks import run_task
from sixnd.runner.data.work import Step
from sixnd.specs.document import Document
from sixnd.specs.errors import SixndError

_LOOK_EVERY_S = 1.0
_ANSWER_WITHIN_S = 10.0


class RaySettings(Document):
    """What is asked of Ray for every task; raises ``ValueError`` for what makes no sense."""

    address: str | None = None
    """Of a cluster that runs already; without one RAY_ADDRESS is followed, or Ray is started on this machine."""
    cpus: Annotated[int, Field(ge=1)] = 1
    """Of one task; more than one are of use where a single task searches all documents."""
    memory_gb_per_cpu: Annotated[float, Field(gt=0)] = 2.0
    at_once: Annotated[int, Field(ge=1)] | None = None
    """Tasks that may run at the same time; without one as many as fit."""


def run_ray(
    folder: Path, step: Step, settings: RaySettings, *, progress: StepProgress | None = None, act: Act = run_task
) -> None:
    """Run the tasks of a step that are not done on Ray, and wait for them.

    Raises ``SixndError`` where tasks did not finish, with what they say.
    """
    launches = Launches(folder.resolve(), step)
    watch, missing = launches.watch(progress), launches.missing()
    if not missing:
        return
    _connect(settings)
    executor = RayPipelineExecutor(
        pipeline=[TaskStep(launches.folder, step.name, missing, settings.cpus, act)],
        tasks=len(missing),
        workers=settings.at_once or -1,
        logging_dir=str(launches.begin()),
        cpus_per_task=settings.cpus,
        mem_per_cpu_gb=settings.memory_gb_per_cpu,
    )
    with _watched(launches, watch):
        executor.run()
    launches.check("")
    watch.tell(launches.done())


def _connect(settings: RaySettings) -> None:
    if ray.is_initialized():
        return
    if settings.address is not None:
        _check_answers(settings.address)
    try:
        ray.init(address=settings.address, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    except ConnectionError as error:
        raise SixndError(
            f"Ray cannot be reached at {settings.address}: {error}", "start Ray there, or leave the address out"
        ) from error


def _check_answers(address: str) -> None:
    """Raise ``SixndError`` where nothing answers at ``host:port``: Ray itself tries for many minutes."""
    host, _, port = address.rpartition(":")
    if not port.isdigit() or "://" in address:
        return
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER_WITHIN_S).close()
    except OSError as error:
        raise SixndError(
            f"nothing answers at {address} ({error})", "start Ray there, or leave the address out"
        ) from error


@contextlib.contextmanager
def _watched(launches: Launches, watch: StepWatch) -> Iterator[None]:
    """Progress is told while datatrove's executor, which tells none, runs in the block."""
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(_LOOK_EVERY_S):
            watch.tell(launches.done())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
