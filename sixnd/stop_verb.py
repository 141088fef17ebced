"""``sixnd stop``: end a run cleanly, from any shell on any of its machines. No process is sent a signal."""

import time
from pathlib import Path

import click

from sixnd.console import print_json, print_result, tell

_FRESH_S = 60.0
"""A rank that beat so lately is taken to live, where a file system has no locks to ask."""
_LOOK_EVERY_S = 0.5


@click.command()
@click.argument("folder", metavar="RUN_FOLDER", type=click.Path(path_type=Path))
@click.option("--no-wait", is_flag=True, help="Ask, and do not wait until it has ended.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def stop(folder: Path, no_wait: bool, as_json: bool) -> int:
    """End a run after its present step, with a checkpoint.

    The run is asked by a file in its folder; it ends with exit code 7, and the same `sixnd run` goes on. Whether it
    runs is told by its lock, never by a process number.
    """
    from sixnd.reporting import read_run
    from sixnd.runner.supervision.stopping import request_stop
    from sixnd.status import read_status

    read_run(folder)  # refuses what is no run
    if not is_running(folder):
        tell(f"sixnd: {folder} is not running; `sixnd status {folder}` tells how it ended")
        return 1
    request_stop(folder, "`sixnd stop` asked for it")
    if not no_wait:
        tell(f"{folder} was asked to save and end; waiting (Ctrl-C leaves it asked)")
        while is_running(folder):
            time.sleep(_LOOK_EVERY_S)
    state = read_status(folder)
    if as_json:
        print_json(state.plain())
    else:
        print_result(state.line())
    return 0


def is_running(folder: Path) -> bool:
    """Whether a process trains in the folder: one holds its lock, or a rank that was started by hand beats."""
    from sixnd.runner.lock import is_held
    from sixnd.runner.supervision.heartbeat import read_beats
    from sixnd.specs.record import End, read_record
    from sixnd.specs.run_events import Paused

    lock = folder / "lock"
    if lock.exists() and is_held(lock):
        return True
    record = read_record(folder / "record.jsonl")
    # Where `sixnd run` was killed nobody writes an end, and ranks that paused leave fresh beats.
    ended = max((event.attempt for event in (record.last(End), record.last(Paused)) if event is not None), default=0)
    return any(beat.attempt > ended and time.time() - beat.time < _FRESH_S for beat in read_beats(folder))
