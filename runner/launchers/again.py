"""Whether a job that has ended is to be queued again: ``python -m sixnd.runner.launchers.again RUN --since=SECONDS``.

Exit code 0 says yes. It is yes for a run that paused because its job was about to end, and for one that failed after
it had completed a checkpoint in this job; a run that fails again and again at one place does not occupy a cluster.
"""

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from sixnd.runner.job import JobFolder
from sixnd.specs.checkpoint_events import CheckpointSaved
from sixnd.specs.record import End, Launch, RunRecord, read_record
from sixnd.specs.run_events import Alarm, Paused

E = TypeVar("E", End, Paused, CheckpointSaved)

ANNOUNCED = "Slurm announced the end of its job"
"""Why a run pauses that the job script asked to."""
_SCHEDULED = (ANNOUNCED, "the end of the Slurm job", "supervision.time_limit", "SIGTERM", "SIGUSR1")
"""How reasons begin that are the scheduler's; a person who stops a run, and a spent budget, want it to stay stopped."""


def is_to_go_on(record: RunRecord, since: float, *, asked: bool = False) -> tuple[bool, str]:
    """Whether the run that was launched after ``since`` (seconds since the epoch) goes on in another job, and why.

    ``asked`` says that the job's end was announced: then preparing the data, which took all of it, goes on as well.
    """
    launch = record.last(Launch)
    if launch is None or datetime.fromisoformat(launch.time).timestamp() < since:
        return asked, "the run was not yet training when its job ended" if asked else "nothing was trained in this job"
    ended = _of(record, End, launch.attempt)
    if ended is not None and ended.status == "finished":
        return False, "the run is finished"
    paused = _of(record, Paused, launch.attempt)
    saved = _of(record, CheckpointSaved, launch.attempt)
    if paused is not None and paused.unsaved is not None and saved is None:
        return False, "the run could save nothing in this job; the next one would fare no better"
    if paused is not None:
        return paused.reason.startswith(_SCHEDULED), f"the run paused: {paused.reason}"
    if any(alarm.action == "stop" and alarm.attempt == launch.attempt for alarm in record.of(Alarm)):
        return False, "an alarm stopped the run"
    if saved is None:
        return False, "the run failed before it got to a new checkpoint; the next job would fare no better"
    return True, f"the run failed after it had saved step {saved.step}"


def _of(record: RunRecord, kind: type[E], attempt: int) -> E | None:
    """The last event of that kind and attempt."""
    return next((event for event in reversed(record.of(kind)) if event.attempt == attempt), None)


def main(arguments: list[str] | None = None) -> int:
    """Say whether and why on stderr; the exit code is the answer."""
    parser = argparse.ArgumentParser(prog="sixnd.runner.launchers.again", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--since", type=float, default=0.0)
    parser.add_argument("--asked", action="store_true")
    given = parser.parse_args(arguments)
    path = JobFolder(given.run).record_path
    record = read_record(path) if path.exists() else RunRecord(events=[])
    again, why = is_to_go_on(record, given.since, asked=given.asked)
    print(f"sixnd: {why}{'; queued again' if again else ''}", file=sys.stderr)
    return 0 if again else 1


if __name__ == "__main__":
    raise SystemExit(main())
