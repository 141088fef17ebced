"""Faults of processes: killed, stopped, asked to end."""

import os
import signal
import time

import psutil

from sixnd.runner.job import JobFolder
from sixnd.runner.supervision.stopping import stop_request
from sixnd.specs.record import Launch, RunRecord, Step
from sixnd.specs.run_events import Alarm
from tests.soak.disk import SmallDisk
from tests.soak.fault import Fault
from tests.soak.run import Run
from tests.soak.worker import SPOIL


def rank_killed(run: Run, _disk: SmallDisk) -> None:
    run.ranks()[1].kill()
    assert "rank 1 was killed by SIGKILL" in run.ended(6)


def rank_killed_while_it_saves(run: Run, _disk: SmallDisk) -> None:
    first = run.ranks()[0]
    run.wait("a checkpoint was begun", lambda _record: any(run.folder.checkpoints_path.glob("step_*.partial")))
    first.kill()
    assert "rank 0 was killed by SIGKILL" in run.ended(6)


def launcher_killed(run: Run, _disk: SmallDisk) -> None:
    run.launcher().kill()
    assert "the training processes were killed by SIGKILL" in run.ended(6)


def command_killed(run: Run, _disk: SmallDisk) -> None:
    """The ranks are held still while a second start is refused, and until `sixnd stop` has asked: both import torch."""
    ranks, steps = run.ranks().values(), len(run.record().of(Step))
    assert run.process is not None
    run.process.kill()
    run.process.wait()
    while len(run.record().of(Step)) < steps + 2:
        time.sleep(0.02)
    for rank in ranks:
        rank.suspend()
    assert run.tried() == 1
    assert "is being trained by another process" in run.told()
    run.process = None
    stop = run.sixnd("stop")
    while stop_request(run.folder.path) is None:
        assert stop.poll() is None, f"`sixnd stop` asked for nothing: {run.told()[-3000:]}"
        time.sleep(0.02)
    for rank in ranks:
        rank.resume()
    assert stop.wait() == 0
    run.gone()


def machine_lost(run: Run, _disk: SmallDisk) -> None:
    assert run.process is not None
    run.look()
    for process in (psutil.Process(run.process.pid), *run.seen):
        if process.is_running():
            process.kill()
    run.ended(-signal.SIGKILL)
    tear_last_line(run.folder)


def tear_last_line(folder: JobFolder) -> None:
    """Leave half a line more in the record, as a write cut by a power failure does."""
    line = folder.record_path.read_bytes().splitlines()[-1]
    with folder.record_path.open("ab") as record:
        record.write(line[: len(line) // 2])


def terminated(run: Run, _disk: SmallDisk) -> None:
    assert run.process is not None
    run.process.terminate()
    assert "SIGTERM to `sixnd run`" in run.ended(7)


def rank_signalled(run: Run, _disk: SmallDisk) -> None:
    run.ranks()[0].send_signal(signal.SIGUSR1)
    assert "with a checkpoint" in run.ended(7)


def interrupted(run: Run, _disk: SmallDisk) -> None:
    assert run.process is not None
    os.kill(run.process.pid, signal.SIGINT)
    assert "interrupted" in run.ended(130)


def rank_hung(run: Run, _disk: SmallDisk) -> None:
    launches = len(run.record().of(Launch))
    run.ranks()[1].suspend()
    run.wait("a restart", lambda record: _restarted(record, launches))
    assert "Look at rank 1" in run.told()


def _restarted(record: RunRecord, launches: int) -> bool:
    return any(step.attempt > launches for step in record.of(Step))


def loss_nan(run: Run, _disk: SmallDisk) -> None:
    before = len(run.record().events)
    (run.folder.path / SPOIL).touch()
    run.wait("the step was done again", lambda record: _retried(record, before))


def _retried(record: RunRecord, before: int) -> bool:
    """Whether a step after those events was ill, and then right."""
    after = RunRecord(events=record.events[before:])
    ill = {alarm.step for alarm in after.of(Alarm) if alarm.action == "retry"}
    return any(step.step in ill and step.applied for step in after.of(Step))


FAULTS = [
    Fault("rank killed", "SIGKILL to rank 1", "ended and named the rank", rank_killed, code=6),
    Fault(
        "rank killed while it saves",
        "SIGKILL to rank 0 as a checkpoint was being written",
        "ended and named the rank; the part was not taken for a checkpoint",
        rank_killed_while_it_saves,
        code=6,
    ),
    Fault(
        "torchrun killed",
        "SIGKILL to torchrun",
        "ended; the ranks and their helpers went with torchrun",
        launcher_killed,
        code=6,
    ),
    Fault(
        "`sixnd run` killed",
        "SIGKILL to `sixnd run`; the same command again; `sixnd stop`",
        "trained on under its lock; the second start was refused; `sixnd stop` paused it",
        command_killed,
        code=-9,
    ),
    Fault(
        "machine lost",
        "SIGKILL to all processes at once, half a line left at the record's end",
        "the half line was cut off",
        machine_lost,
        code=-9,
    ),
    Fault("SIGTERM", "SIGTERM to `sixnd run`", "paused with a checkpoint", terminated, code=7),
    Fault("SIGUSR1", "SIGUSR1 to rank 0", "paused with a checkpoint", rank_signalled, code=7),
    Fault("Ctrl-C", "SIGINT to `sixnd run`", "ended at once", interrupted, code=130),
    Fault(
        "rank hung",
        "SIGSTOP to rank 1, with `restarts: 1`",
        "named the rank, killed both and started again by itself",
        rank_hung,
        rules=lambda run: {"restarts": 1, "restart_wait": 0.1, "hang_floor": max(20.0, run.start_s)},
    ),
    Fault(
        "NaN",
        "one loss of rank 1 made NaN once, with `non_finite: retry`",
        "took the last checkpoint and trained on the same batches again",
        loss_nan,
    ),
]
