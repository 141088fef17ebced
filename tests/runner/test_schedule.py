"""The learning rates that are really applied, step by step, against the formulas written out."""

import math
from pathlib import Path

import pytest

from sixnd.runner.trainer import Trainer
from sixnd.specs.plan import Plan
from tests.runner import alone, tiny

PEAK, FINAL, STEPS, WARMUP, FALLING = 1e-3, 1e-4, 14, 3, 5


def planned(schedule: str, cooldown: str = "linear") -> Plan:
    plan = tiny.plan(tiny.layout(micro_batch=tiny.BATCH), steps=STEPS, schedule=schedule, learning_rate=PEAK)
    falling = STEPS - WARMUP if schedule == "cosine" else FALLING
    changes = {"warmup_steps": WARMUP, "decay_steps": falling, "cooldown": cooldown}
    return plan.model_copy(update={"training": plan.training.model_copy(update=changes)})


def applied(plan: Plan, folder: Path) -> list[float]:
    with alone.one_rank(folder):
        trainer, batch = Trainer(plan), alone.text(plan)
        return [alone.step(trainer, batch)[2] for _ in range(plan.training.steps)]


def expected(schedule: str, cooldown: str) -> list[float]:
    def share(step: int) -> float:
        """Of the way from the final rate to the peak."""
        if schedule == "cosine":
            return (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP))) / 2
        fallen = max(0.0, (step - (STEPS - FALLING)) / FALLING)
        return 1 - (math.sqrt(fallen) if cooldown == "1-sqrt" else fallen)

    rising = [PEAK * step / WARMUP for step in range(1, WARMUP + 1)]
    return rising + [FINAL + share(step) * (PEAK - FINAL) for step in range(WARMUP + 1, STEPS + 1)]


@pytest.mark.parametrize(("schedule", "cooldown"), [("cosine", "linear"), ("wsd", "linear"), ("wsd", "1-sqrt")])
def test_each_step_trains_with_the_learning_rate_of_the_schedule(schedule, cooldown, tmp_path):
    rates = applied(planned(schedule, cooldown), tmp_path / "one")
    assert rates == pytest.approx(expected(schedule, cooldown), rel=1e-12)
    assert rates[-1] == pytest.approx(FINAL)


def test_the_cooldowns_differ_only_in_the_falling_part(tmp_path):
    linear = applied(planned("wsd", "linear"), tmp_path / "linear")
    root = applied(planned("wsd", "1-sqrt"), tmp_path / "root")
    assert linear[: STEPS - FALLING] == root[: STEPS - FALLING]
    assert all(fast < slow for fast, slow in zip(root[STEPS - FALLING : -1], linear[STEPS - FALLING : -1], strict=True))
