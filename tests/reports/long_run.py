"""The record of a run so long that a report of it is hard to make: written as text, since its events are many."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

from sixnd.specs.checkpoint_events import CheckpointSaved
from sixnd.specs.plan import Plan
from sixnd.specs.record import End, Launch, Validation, event_line
from tests.reports import build

STEPS = 1_000_000
LOSS_SPIKES = (0.123457, 0.500001, 0.876543)
"""Single steps, as shares of the run, whose loss is ten nats above their neighbours'."""
GRADIENT_SPIKES = (0.222222, 0.777777)
NOT_A_NUMBER = 0.640009
"""The step whose loss is not a number."""
FAILED_AT, RESUMED_FROM = 0.6, 0.5995
"""Shares of the run."""


def at(share: float, steps: int = STEPS) -> int:
    """The step at a share of the run."""
    return round(share * steps)


def long_plan(steps: int = STEPS) -> Plan:
    """A plan of so many steps."""
    return build.small_plan(steps=steps)


def write_long_run(folder: Path, steps: int = STEPS) -> Plan:
    """Write plan and record of a finished run that failed once into ``folder``; return the plan."""
    plan = long_plan(steps)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.yaml").write_text(plan.to_yaml(), "utf-8")
    failed, resumed = round(steps * FAILED_AT), round(steps * RESUMED_FROM)
    story = build.Story(plan).launch(1, "2026-01-01T00:00:00+00:00").prepared()
    ends = build.Story(plan).finish()
    with (folder / "record.jsonl").open("w", encoding="utf-8") as record:
        record.writelines(event_line(event) for event in story.events)
        record.writelines(_lines(plan, 1, 1, failed))
        record.write(event_line(_end(1, "2026-01-13T00:00:00+00:00", "failed", failed)))
        launch = build.Story(plan).launch(2, "2026-01-13T01:00:00+00:00", resumed_from=resumed).events[0]
        assert isinstance(launch, Launch)
        record.write(event_line(launch))
        record.writelines(_lines(plan, 2, resumed + 1, steps))
        record.writelines(event_line(event) for event in ends.events)
        record.write(event_line(_end(2, "2026-01-21T00:00:00+00:00", "finished", steps)))
    return plan


def _end(attempt: int, time: str, status: str, step: int) -> End:
    told = {"attempt": attempt, "time": time, "status": status, "step": step, "exit_code": 0 if step else 1}
    return End.model_validate(told | {"message": "rank 3 was killed by SIGKILL" if status == "failed" else "done"})


def _lines(plan: Plan, attempt: int, first: int, last: int) -> Iterator[str]:
    every, saved = max(1, plan.training.steps // 400), plan.checkpoints.every_steps
    spikes = {at(share, plan.training.steps) for share in LOSS_SPIKES}
    steep = {at(share, plan.training.steps) for share in GRADIENT_SPIKES}
    broken = at(NOT_A_NUMBER, plan.training.steps)
    for step in range(first, last + 1):
        loss = math.nan if step == broken else 10.0 * (step in spikes)
        yield json.dumps(_step(plan, attempt, step, loss, 40.0 * (step in steep)), allow_nan=True) + "\n"
        if step % every == 0:
            yield event_line(Validation(attempt=attempt, step=step, loss=_smooth(plan, step) + 0.08, tokens=65_536))
        if step % saved == 0:
            yield event_line(CheckpointSaved(attempt=attempt, step=step, path=f"checkpoints/{step:08}", seconds=41.0))


def _smooth(plan: Plan, step: int) -> float:
    return 4.3 + 4.7 * math.exp(-step / (0.18 * plan.training.steps))


def _step(plan: Plan, attempt: int, step: int, more_loss: float, more_norm: float) -> dict[str, object]:
    per_step = plan.training.global_batch * plan.model.sequence_length
    noise = math.sin(step * 12.9898) * 43758.5453 % 1 - 0.5
    seconds = 1.45 + 0.1 * noise
    return {
        "kind": "step",
        "attempt": attempt,
        "step": step,
        "tokens": step * per_step,
        "loss": _smooth(plan, step) + 0.2 * noise + more_loss,
        "grad_norm": 1.2 + 0.5 * noise + more_norm,
        "learning_rate": 8.1e-4 * (1 - 0.9 * step / plan.training.steps),
        "step_time_s": seconds,
        "tokens_per_s": per_step / seconds,
        "mfu": 0.31 * 1.45 / seconds,
        "memory_bytes": 905_000_000,
        "applied": True,
        "z_loss": None,
    }
