"""Asking a run to save and end: a file in its folder, so that any shell on any of its machines can ask."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sixnd.specs.files import write_atomically

REQUEST = "stop-request"
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
"""What asks a run to save and end: how schedulers end a job, and how they announce it."""


def request_stop(run: Path, reason: str) -> None:
    """Ask the run to save a checkpoint after its present step and to end."""
    write_atomically(run / REQUEST, reason)


def stop_request(run: Path) -> str | None:
    """Why the run was asked to end, if it was."""
    try:
        return (run / REQUEST).read_text("utf-8")
    except OSError:
        return None


def clear_request(run: Path) -> None:
    """Forget what was asked of an earlier attempt."""
    (run / REQUEST).unlink(missing_ok=True)


@contextlib.contextmanager
def signals_ask(run: Path) -> Iterator[None]:
    """Inside, SIGTERM and SIGUSR1 ask the run to end; a second one interrupts at once.

    Only the main thread may set handlers; elsewhere nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, _frame: Any) -> None:
        if stop_request(run) is not None:
            raise KeyboardInterrupt
        request_stop(run, f"{signal.Signals(number).name} to `sixnd run`")

    before = {number: signal.signal(number, ask) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
