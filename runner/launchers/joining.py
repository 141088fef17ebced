"""A machine that is not the run's first: it waits until the first has prepared, and trains its part."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sixnd.runner.job import JobFolder, job_folder, training_command
from sixnd.runner.launch import check_machine
from sixnd.runner.launchers.nodes import Node
from sixnd.runner.processes import stop
from sixnd.runner.supervision.stopping import SIGNALS
from sixnd.runner.trainable import check_trainable
from sixnd.specs.errors import RunFailedError, SixndError
from sixnd.specs.plan import Plan
from sixnd.specs.record import Launch, read_record

_LOOK_EVERY_S, _CONNECT_S, _TELL_EVERY_S = 1.0, 5.0, 60.0

Say = Callable[[str], None]


def join_run(plan: Plan, node: Node, *, runs_dir: Path, say: Say) -> Path:
    """Train this machine's part of a run that its first machine leads; return the run folder.

    ``runs_dir`` is the same folder on all machines. Raises ``RunFailedError`` when the training processes here end
    early; the first machine records it.
    """
    check_trainable(plan)
    check_machine(plan, node)
    folder = job_folder(plan, runs_dir)
    _wait_for(node, say)
    if not folder.job_path.is_file():
        raise SixndError(
            f"{folder.path} is not there, which the first machine has made",
            "give all machines one --runs-dir, on a file system that they share",
        )
    code = _train(folder, node)
    if code:
        raise RunFailedError(
            f"the training processes of machine {node.rank} ended with exit code {code}",
            "look into the record of the first machine",
        )
    return folder.path


def _wait_for(node: Node, say: Say) -> None:
    """Until the first machine's meeting is open: it prepares the data before, which takes what it takes."""
    told = -_TELL_EVERY_S
    while not _is_open(node):
        if time.monotonic() - told >= _TELL_EVERY_S:
            told = time.monotonic()
            say(f"machine {node.rank} waits for the first one at {node.endpoint}, which prepares the data")
        time.sleep(_LOOK_EVERY_S)


def _is_open(node: Node) -> bool:
    try:
        with socket.create_connection((node.host.strip("[]"), node.port), timeout=_CONNECT_S):
            return True
    except OSError:
        return False


def _train(folder: JobFolder, node: Node) -> int:
    job = folder.job()
    attempt = len(read_record(folder.record_path).of(Launch))
    command = training_command(folder, job.processes, node)
    folder.logs_path.mkdir(exist_ok=True)
    with (folder.logs_path / f"attempt-{attempt}-machine-{node.rank}.log").open("wb") as log, _first_decides():
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | job.environment | {"SIXND_ATTEMPT": str(attempt)},
            start_new_session=True,
        )
        try:
            return process.wait()
        except BaseException:
            stop(process)
            raise


@contextlib.contextmanager
def _first_decides() -> Iterator[None]:
    """Inside, what asks a run to save and end is left to the first machine: the processes here follow theirs."""
    before = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
