"""How worker processes are started, and what each does first, so that none outlives the command that started it."""

import multiprocessing
import os
import signal
import threading
from multiprocessing import connection
from multiprocessing.context import ForkServerContext

_PRELOADED = ["sixnd.runner.data.tasks"]


def worker_context() -> ForkServerContext:
    """Workers are forked from a process that has imported what they need and holds no threads.

    One forked from the command itself could hang on a lock that a thread of torch held; one started anew would import
    for half a second.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def begin() -> None:
    """In a worker: leave Ctrl-C to the process that started it, and end as soon as that one is gone.

    Without this a worker of a command that was killed waits for ever for its next task, and holds its memory.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
