"""What Slurm and Ray have in common: the tasks of a step as datatrove's pipeline, and how what they did is judged.

datatrove's executors start the tasks on other machines, which must see the working folder, the sources and the cache
under the same paths, and have sixnd installed. What is done is judged by the tasks' own outputs, not by datatrove's
completion marks: a mark outlives an output that was deleted. So each launch has a folder of its own under
``cluster/`` and is given just the tasks whose output is missing; what failed is run again alone.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datatrove.pipeline.base import PipelineStep
from datatrove.utils.logging import logger

from sixnd.runner.data.executors import Act, StepProgress, StepWatch, attempt, tasks_of
from sixnd.runner.data.tasks import marks
from sixnd.runner.data.work import Step
from sixnd.specs.errors import SixndError
from sixnd.specs.files import write_atomically

_PATIENCE_S = 20.0  # until an output written by another machine is seen on a shared file system
_ERRORS_SHOWN = 3

logger.disable("datatrove")  # its log goes to the launch's folder; what a user needs is told by us


class TaskStep(PipelineStep):
    """A pipeline of datatrove whose rank is a task of ours: it takes and gives no documents."""

    name = "task"
    type = "sixnd"

    def __init__(self, folder: Path, step: str, tasks: Sequence[int], helpers: int, act: Act) -> None:
        super().__init__()
        self.folder, self.step, self.tasks, self.helpers, self.act = folder, step, list(tasks), helpers, act

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Any:  # noqa: ARG002
        """Run the task of that rank; what it refuses is written down for the command that waits."""
        task = self.tasks[rank]
        try:
            attempt(self.act, self.folder, self.step, task, self.helpers)
        except SixndError as error:
            write_atomically(error_file(self.folder, self.step, task), str(error))
            raise
        return data


@dataclass
class Launches:
    """One step of a working folder: which of its tasks are missing, and where its launches write their logs."""

    folder: Path
    step: Step

    def __post_init__(self) -> None:
        self.path = step_folder(self.folder, self.step.name)
        self._missing = dict(zip(tasks_of(self.step), marks(self.folder, self.step), strict=True))

    def missing(self) -> list[int]:
        """Tasks whose output is not there."""
        self._missing = {task: mark for task, mark in self._missing.items() if not mark.is_file()}
        return list(self._missing)

    def begin(self) -> Path:
        """A new folder for the next launch; what an earlier one told is forgotten."""
        earlier = len(list(self.path.glob("launch-*")))
        launch = self.path / f"launch-{earlier:03d}"
        launch.mkdir(parents=True)
        for task in self.missing():
            error_file(self.folder, self.step.name, task).unlink(missing_ok=True)
        return launch

    def watch(self, progress: StepProgress | None) -> StepWatch:
        """What tells the step's progress."""
        return StepWatch(self.step, progress, self.done())

    def done(self) -> int:
        """How many tasks are finished."""
        return self.step.tasks - len(self.missing())

    def check(self, told: str) -> None:
        """Raise ``SixndError`` for tasks that ended without an output; ``told`` is what the cluster says of them."""
        given_up = time.monotonic() + _PATIENCE_S
        while self.missing() and not self._errors() and time.monotonic() < given_up:
            time.sleep(0.5)
        missing = self.missing()
        if missing:
            raise SixndError(
                "\n".join([self._failure(missing, told), *self._errors()]), "the same command runs only these again"
            )

    def _failure(self, missing: list[int], told: str) -> str:
        tasks = ", ".join(map(str, missing[:10])) + (", ..." if len(missing) > 10 else "")
        return (
            f"step {self.step.name}: {len(missing)} of {self.step.tasks} tasks did not finish ({tasks})"
            f"{f'; {told}' if told else ''}. Logs: {self.path}"
        )

    def _errors(self) -> list[str]:
        """The first sentences that tasks left."""
        files = [(task, error_file(self.folder, self.step.name, task)) for task in self.missing()]
        found = [f"task {task}: {file.read_text('utf-8')}" for task, file in files if file.is_file()]
        return found[:_ERRORS_SHOWN]


def step_folder(folder: Path, step: str) -> Path:
    """Where the launches of a step keep what they need."""
    return folder / "cluster" / re.sub(r"[^A-Za-z0-9._-]+", "-", step)


def error_file(folder: Path, step: str, task: int) -> Path:
    """Where a task says why it failed."""
    return step_folder(folder, step) / f"error-{task:05d}.txt"
