"""What to tell a person whose training processes ended early: what happened, what is safe, what to do."""

import re
import signal
from pathlib import Path

from sixnd.specs.checkpoint_events import CheckpointFailed, CheckpointSaved, CheckpointSkipped
from sixnd.specs.record import RunRecord, Step

_FAILED_RANK = re.compile(r"Root Cause.*?rank\s*:\s*(\d+).*?exitcode\s*:\s*(-?\d+)", re.DOTALL)


def last_checkpoint(record: RunRecord) -> int:
    """Step of the newest checkpoint in the record that was not found damaged since, 0 for none."""
    saved: list[int] = []
    for event in record.events:
        if isinstance(event, CheckpointSaved):
            saved.append(event.step)
        elif isinstance(event, CheckpointSkipped):
            saved = [step for step in saved if step != event.step]
    return saved[-1] if saved else 0


def explain_failure(record: RunRecord, log: Path, exit_code: int) -> str:
    """What happened, what is safe and what to do, in sentences."""
    steps = record.of(Step)
    reached = f"after step {steps[-1].step}" if steps else "before the first step"
    cause = _unwritten_checkpoint(record) or _who_failed(log, exit_code)
    return f"{cause} {reached}. {what_goes_on(record)} What the processes printed: {log}"


def what_goes_on(record: RunRecord) -> str:
    """What is safe, and from where the run goes on, in a sentence."""
    saved = last_checkpoint(record)
    safe = f"The last complete checkpoint is step {saved}" if saved else "No checkpoint was complete yet"
    way = "resumes from it" if saved else "starts again from the beginning"
    return f"{safe}; the same `sixnd run` {way}."


def _unwritten_checkpoint(record: RunRecord) -> str | None:
    """The checkpoint whose failure ended the last attempt, if it was that."""
    last = record.events[-1] if record.events else None
    if not isinstance(last, CheckpointFailed) or not last.ends_run:
        return None
    return f"the checkpoint of step {last.step} could not be written ({last.reason}), which ended the run"


def _who_failed(log: Path, exit_code: int) -> str:
    """Which rank ended first and how, from torchrun's summary."""
    match = _FAILED_RANK.search(log.read_text("utf-8", errors="replace"))
    if match is None and exit_code < 0:
        return f"the training processes were killed by {signal.Signals(-exit_code).name}"
    if match is None:
        return f"the training processes ended with exit code {exit_code}"
    rank, code = match[1], int(match[2])
    if code >= 0:
        return f"rank {rank} failed (exit code {code})"
    return f"rank {rank} was killed by {signal.Signals(-code).name}"
