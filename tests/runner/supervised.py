"""Real runs that something is done to, and what is asked of their records."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from sixnd.runner.launch import run_plan
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord, Step, read_record
from tests.runner import tiny
from tests.runner.conftest import ROOT, sources

STEPS, EVERY = 12, 4


def plan(degrees: dict[str, int] | None = None, **rules: object) -> Plan:
    made = tiny.plan(
        tiny.layout(**(degrees or {})),
        steps=STEPS,
        sources=sources(STEPS),
        checkpoint_every=EVERY,
        keep_last=3,
        learning_rate=3e-3,
    )
    plain = {"heartbeat": 0.2, "budget_factor": None}  # the tiny plan's estimates are made up
    supervision = made.spec.supervision.model_copy(update=plain | rules)
    return made.model_copy(update={"spec": made.spec.model_copy(update={"supervision": supervision})})


def run(made: Plan, runs: Path) -> RunRecord:
    return read_record(run_plan(made, runs_dir=runs, base_dir=ROOT, progress=False) / "record.jsonl")


def losses(record: RunRecord) -> dict[int, tuple[float, float]]:
    return {s.step: (s.loss, s.grad_norm) for s in record.steps() if s.loss == s.loss}


def after_step(record_path: Path, step: int, act: Callable[[], None]) -> threading.Thread:
    """Act as soon as the record holds the step."""

    def wait() -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if record_path.exists() and any(s.step >= step for s in read_record(record_path).of(Step)):
                act()
                return
            time.sleep(0.02)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread
