"""Tasks for the executors' tests: what other processes can import, and what they do shows in files."""

import errno
import os
import signal
import time
from pathlib import Path

from sixnd.specs.errors import InvalidDocumentError, Problem, SixndError


def write(folder: Path, step: str, task: int, helpers: int) -> None:
    """Write the task's number, once, and note each time that it was called and with how many helpers."""
    with (folder / "calls").open("a") as calls:
        calls.write(f"{step} {task} {helpers}\n")
    output = folder / f"{step}-{task}"
    if not output.exists():
        output.write_text(f"output of {task}")


def write_unless_refused(folder: Path, step: str, task: int, helpers: int) -> None:
    """Fail at the task named in a file, as the file says."""
    at, kind = (folder / "refused").read_text().split()
    if task == int(at):
        raise _FAILURES[kind]
    write(folder, step, task, helpers)


def be_killed(folder: Path, step: str, task: int, helpers: int) -> None:
    """End as a process ends that the kernel picks when memory runs out."""
    write(folder, step, task, helpers)
    os.kill(os.getpid(), signal.SIGKILL)


def sleep(folder: Path, step: str, task: int, helpers: int) -> None:
    """Note the process that runs it, and stay until something ends it."""
    (folder / f"{step}-{task}.pid").write_text(str(os.getpid()))
    time.sleep(600)


_FAILURES = {
    "sentence": SixndError("the input is not to be had; get it"),
    "document": InvalidDocumentError("spec.yaml", [Problem(("data",), "no such source", "name one that is there")]),
    "defect": ZeroDivisionError("division by zero"),
    "memory": MemoryError(),
    "disk": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
}
