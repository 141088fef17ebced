"""How a run stands, told from its record alone."""

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from sixnd.reporting import read_run
from sixnd.reports.format import duration
from sixnd.specs.record import End, RunRecord, Step

_RECENT_STEPS = 20
_SILENCE_STEPS = 10  # a record that grew by no line for so many steps' time is told as silent
_SILENCE_FLOOR_S = 120.0  # start-up and checkpoints write no step


@dataclass(frozen=True)
class Status:
    """One run's state; ``None`` where the record does not tell."""

    run: str
    state: str
    """`finished`, `failed`, `interrupted`, `running`, or `silent` (no end, and no line for long)."""
    message: str
    step: int
    steps: int
    loss: float | None
    """Training loss of the last step, nats per token."""
    tokens_per_s: float | None
    eta_s: float | None
    """Remaining steps at the median of recent step times."""
    silent_s: float
    """Seconds since the record last grew."""

    def plain(self) -> dict[str, object]:
        """The status as plain data; a loss that is not a number becomes null, which JSON has."""
        loss = self.loss if self.loss is not None and self.loss == self.loss else None
        return {**vars(self), "loss": loss}

    def line(self) -> str:
        """The status as one line."""
        parts = [f"{self.run}: {self.state}", f"step {self.step}/{self.steps}"]
        parts += [f"loss {self.loss:.4f}"] if self.loss is not None else []
        parts += [f"{self.tokens_per_s:,.0f} tokens/s"] if self.tokens_per_s is not None else []
        if self.state == "running" and self.eta_s is not None:
            parts.append(f"about {duration(self.eta_s)} left")
        if self.state == "silent":
            parts.append(f"no line for {duration(self.silent_s)}: killed, or hung")
        return " · ".join(parts) + (f" · {self.message}" if self.message else "")


def read_status(folder: Path) -> Status:
    """The status of the run in ``folder``; raises ``SixndError`` where no run is."""
    plan, record = read_run(folder)
    silent_s = max(0.0, time.time() - (folder / "record.jsonl").stat().st_mtime)
    return status_of(record, f"{plan.name}/{plan.fingerprint()}", plan.training.steps, silent_s)


def status_of(record: RunRecord, run: str, steps: int, silent_s: float) -> Status:
    """The status that a record tells; ``silent_s`` is how long ago it last grew."""
    done: list[Step] = record.steps()
    recent = [step.step_time_s for step in done[-_RECENT_STEPS:]]
    step_time_s = statistics.median(recent) if recent else None
    last = done[-1] if done else None
    state, message = _state(record, step_time_s, silent_s)
    reached = last.step if last else 0
    return Status(
        run=run,
        state=state,
        message=message,
        step=reached,
        steps=steps,
        loss=last.loss if last else None,
        tokens_per_s=last.tokens_per_s if last else None,
        eta_s=None if step_time_s is None else step_time_s * (steps - reached),
        silent_s=silent_s,
    )


def _state(record: RunRecord, step_time_s: float | None, silent_s: float) -> tuple[str, str]:
    """The last attempt's end, if it has one; else whether its record still grows."""
    last = record.events[-1] if record.events else None
    if isinstance(last, End):
        return last.status, "" if last.status == "finished" else last.message
    patience_s = max(_SILENCE_FLOOR_S, _SILENCE_STEPS * (step_time_s or 0.0))
    return ("silent" if silent_s > patience_s else "running"), ""
