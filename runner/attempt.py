"""One attempt: the training processes are started, watched from outside, and how they ended is recorded."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from sixnd.runner.failure import explain_failure, what_goes_on
from sixnd.runner.job import Job, JobFolder
from sixnd.runner.journal import append_event
from sixnd.runner.processes import end_hung, stop
from sixnd.runner.progress import Progress
from sixnd.runner.provenance import now
from sixnd.runner.supervision.hang import HangWatch
from sixnd.runner.supervision.heartbeat import clear_beats
from sixnd.runner.supervision.limits import limits, passed, spent_so_far
from sixnd.runner.supervision.stopping import clear_request, signals_ask, stop_request
from sixnd.specs.errors import RunFailedError, RunPausedError, RunStoppedError
from sixnd.specs.plan import Plan
from sixnd.specs.record import End, RunRecord, Step, read_record
from sixnd.specs.run_events import Alarm, Paused
from sixnd.specs.supervision import Supervision

_LONGEST_WAIT_S = 600.0


def with_restarts(
    act: Callable[[], None], rules: Supervision, say: Callable[[str], None], wait: Callable[[float], None] = time.sleep
) -> None:
    """Act; where the processes died or hung, wait and act again, as often as the rules say."""
    for done in range(rules.restarts + 1):
        try:
            return act()
        except RunStoppedError:
            raise
        except RunFailedError as error:
            if done == rules.restarts:
                raise
            seconds = min(rules.restart_wait * 2**done, _LONGEST_WAIT_S)
            say(f"{error}\nrestart {done + 1} of {rules.restarts} in {seconds:.0f} s")
            wait(seconds)
    return None


def check_budget(plan: Plan, record: RunRecord) -> None:
    """Refuse to go on with a run that has spent its budget, before it spends more."""
    spent = spent_so_far(plan, record)
    for limit in passed(limits(plan), spent):
        if limit.pauses:
            told = limit.told(getattr(spent, limit.currency))
            raise RunPausedError(told, "raise supervision.budget_factor or the budget to go on")


def train(folder: JobFolder, plan: Plan, job: Job, attempt: int, watcher: Progress, lock: int) -> None:
    """Run the training processes to their end; an end before the last step is recorded and raised."""
    _check_request(folder, attempt)
    clear_beats(folder.path)
    log = folder.logs_path / f"attempt-{attempt}.log"
    watch = HangWatch(folder.path, attempt, plan.spec.supervision)
    with log.open("wb") as output, signals_ask(folder.path):
        process = subprocess.Popen(
            job.command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | job.environment | {"SIXND_ATTEMPT": str(attempt)},
            start_new_session=True,
            pass_fds=[lock],
        )
        try:
            watcher.follow(lambda: process.poll() is not None or watch.hangs())
            if watch.found is not None:
                _end_hang(folder, attempt, watch, process)
        except BaseException:
            stop(process)
            end(folder, attempt, "interrupted", "stopped by the user", 130)
            raise
    _raise_early_end(folder, attempt, watch, log, process.returncode)


def _check_request(folder: JobFolder, attempt: int) -> None:
    """A run that was asked to end before its processes were started, starts none."""
    asked = stop_request(folder.path)
    if asked is not None:
        clear_request(folder.path)
        message = f"paused before the training processes were started: {asked}. The same `sixnd run` goes on"
        end(folder, attempt, "paused", message, RunPausedError.exit_code)
        raise RunPausedError(message)


def _end_hang(folder: JobFolder, attempt: int, watch: HangWatch, process: subprocess.Popen[bytes]) -> None:
    hang = watch.found
    assert hang is not None, "it was looked for"
    end_hung(process, hang.beats)
    alarm = Alarm(
        attempt=attempt,
        step=hang.step,
        rule="hang",
        value=hang.seconds,
        threshold=hang.patience_s,
        action="end",
        message=f"{hang.message}; the processes were ended",
    )
    append_event(folder.record_path, alarm)


def _raise_early_end(folder: JobFolder, attempt: int, watch: HangWatch, log: Path, code: int) -> None:
    record = read_record(folder.record_path)
    told = early_end(record, attempt)
    if watch.found is not None:
        message = f"{watch.found.message}. {what_goes_on(record)} The ranks' stacks: {log}"
        end(folder, attempt, "failed", message, code)
        raise RunFailedError(message)
    if isinstance(told, Paused):
        message = _pause(told, record)
        end(folder, attempt, "paused", message, RunPausedError.exit_code)
        raise RunPausedError(message)
    if isinstance(told, Alarm):
        message = f"stopped at step {told.step} by the rule {told.rule}: {told.message}. {what_goes_on(record)}"
        end(folder, attempt, "failed", message, code)
        raise RunStoppedError(message)
    if code:
        message = explain_failure(record, log, code)
        end(folder, attempt, "failed", message, code)
        raise RunFailedError(message)


def _pause(told: Paused, record: RunRecord) -> str:
    if told.unsaved is None:
        return f"paused after step {told.step}, with a checkpoint: {told.reason}. The same `sixnd run` goes on"
    return (
        f"paused after step {told.step}, without a checkpoint, which could not be written ({told.unsaved}): "
        f"{told.reason}. {what_goes_on(record)}"
    )


def early_end(record: RunRecord, attempt: int) -> Paused | Alarm | None:
    """What the ranks themselves said of ending this attempt before the last step."""
    told = [
        event
        for event in record.events
        if isinstance(event, Paused) or (isinstance(event, Alarm) and event.action == "stop")
    ]
    return told[-1] if told and told[-1].attempt == attempt else None


def end(folder: JobFolder, attempt: int, status: str, message: str, exit_code: int) -> None:
    """Record how the attempt ended."""
    steps = read_record(folder.record_path).of(Step)
    event = {
        "attempt": attempt,
        "time": now(),
        "status": status,
        "message": message,
        "step": steps[-1].step if steps else 0,
        "exit_code": exit_code,
    }
    append_event(folder.record_path, End.model_validate(event))
