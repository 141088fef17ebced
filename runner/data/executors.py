"""The tasks of a step, run by processes of this machine.

This is not datatrove's ``LocalPipelineExecutor``: the standard library suffices for processes of one machine, so that
preparing data there needs no further package. Slurm and Ray go through datatrove's executors (``cluster.py``) and run
the same tasks. A task writes its output whole or not at all and does nothing where it stands already, so neither the
executor nor the number of workers decides what is written.
"""

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from sixnd.runner.data.tasks import run_task
from sixnd.runner.data.work import Step
from sixnd.runner.data.worker_process import begin, worker_context
from sixnd.specs.errors import SixndError

Act = Callable[[Path, str, int, int], None]
"""Runs one task: the folder, the step's name, the task's number, and how many processes may help."""
StepProgress = Callable[[str, int, int, float], None]
"""Told a step's name, how many of its tasks are finished, how many it has, and the seconds since it began."""

_AGAIN = "run the same command again: what is finished stays"
_MEMORY = f"take fewer workers or free memory, and {_AGAIN}"


def run_local(
    folder: Path, step: Step, *, workers: int = 1, progress: StepProgress | None = None, act: Act = run_task
) -> None:
    """Run all tasks of a step by up to ``workers`` processes; a task that stands alone gets them as its helpers.

    Raises ``SixndError`` for the first task that fails, once those at work beside it have ended; the others are not
    begun. Ctrl-C ends all processes at once.
    """
    watch = StepWatch(step, progress)
    processes = min(workers, step.tasks)
    if processes > 1:
        _run_in_pool(folder, step, act, processes, max(1, workers // step.tasks), watch)
        return
    for done, task in enumerate(tasks_of(step), 1):
        attempt(act, folder, step.name, task, workers)
        watch.tell(done)


def tasks_of(step: Step) -> range:
    """Numbers of the step's tasks."""
    return range(step.first, step.first + step.tasks)


class StepWatch:
    """Tells how many tasks of a step are finished, and for how long it has run."""

    def __init__(self, step: Step, progress: StepProgress | None, done: int = 0) -> None:
        self._step, self._progress = step, progress
        self._began, self._told = time.monotonic(), -1
        self.tell(done)

    def tell(self, done: int) -> None:
        """Tell that ``done`` tasks are finished, unless that was told last."""
        if self._progress is not None and done != self._told:
            self._told = done
            self._progress(self._step.name, done, self._step.tasks, time.monotonic() - self._began)


def _run_in_pool(folder: Path, step: Step, act: Act, processes: int, helpers: int, watch: StepWatch) -> None:
    # a pool for each step: the memory of the last one is free again
    pool = ProcessPoolExecutor(processes, mp_context=worker_context(), initializer=begin)
    try:
        futures = [pool.submit(attempt, act, folder, step.name, task, helpers) for task in tasks_of(step)]
        for done, future in enumerate(as_completed(futures), 1):
            future.result()
            watch.tell(done)
    except BrokenProcessPool:
        raise _killed(f"step {step.name}") from None
    except KeyboardInterrupt:
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def attempt(act: Act, folder: Path, step: str, task: int, helpers: int) -> None:
    """Run one task; what a user can act on is raised as a ``SixndError`` that another process can take over."""
    try:
        act(folder, step, task, helpers)
    except SixndError as error:
        if type(error).__init__ is SixndError.__init__:
            raise
        raise SixndError(str(error)) from None  # a kind with more than a message cannot be unpickled
    except BrokenProcessPool:
        raise _killed(f"step {step}, task {task}") from None
    except OSError as error:
        what = f"{error.filename or folder}: {(error.strerror or str(error)).lower()}"
        raise SixndError(f"step {step}, task {task}: {what}", f"mend that, and {_AGAIN}") from None
    except MemoryError:
        raise SixndError(f"step {step}, task {task}: memory ran out", f"{_MEMORY}") from None
    except Exception as error:
        error.add_note(f"in step {step}, task {task}, of {folder}")
        raise


def _killed(where: str) -> SixndError:
    return SixndError(f"{where}: a worker process was killed, as the kernel does when memory runs out", f"{_MEMORY}")
