"""The learning rates that are really applied, step by step, against the formulas written out."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.runner.schedule import build_scheduler
from sixnd.runner.trainer import Trainer
from sixnd.specs.plan import Plan
from tests.runner import alone, tiny

PEAK, FINAL, STEPS, WARMUP, FALLING = 1e-3, 1e-4, 14, 3, 5
ROOT = "inverse-square-root"


def planned(schedule: str, cooldown: str = "linear", falling: int = FALLING, final: float = FINAL) -> Plan:
    plan = tiny.plan(tiny.layout(micro_batch=tiny.BATCH), steps=STEPS, schedule=schedule, learning_rate=PEAK)
    falling = STEPS - WARMUP if schedule == "cosine" else falling
    changes = {
        "warmup_steps": WARMUP, "decay_steps": falling, "cooldown": cooldown, "final_learning_rate": final
    }  # fmt: skip
    return plan.model_copy(update={"training": plan.training.model_copy(update=changes)})


def applied(plan: Plan, folder: Path) -> list[float]:
    with alone.one_rank(folder):
        trainer, batch = Trainer(plan), alone.text(plan)
        return [alone.step(trainer, batch)[2] for _ in range(plan.training.steps)]


def expected(schedule: str, cooldown: str, falling: int, final: float, warmup: int = WARMUP) -> list[float]:
    def settled(step: int) -> float:
        """Before the cooldown."""
        if schedule == "cosine":
            return final + (PEAK - final) * (1 + math.cos(math.pi * (step - warmup) / (STEPS - warmup))) / 2
        return PEAK if schedule == "wsd" else max(final, PEAK * math.sqrt(warmup / step))

    def rate(step: int) -> float:
        if step <= warmup:
            return PEAK * step / warmup
        if schedule == "cosine" or step <= STEPS - falling:
            return settled(step)
        fallen = (step - (STEPS - falling)) / falling
        left = 1 - math.sqrt(fallen) if cooldown == "1-sqrt" else 1 - fallen
        return final + left * (settled(STEPS - falling) - final)

    return [rate(step) for step in range(1, STEPS + 1)]


SCHEDULES = [
    ("cosine", "linear", FALLING, FINAL),
    ("cosine", "linear", FALLING, 0.0),
    ("wsd", "linear", FALLING, FINAL),
    ("wsd", "1-sqrt", FALLING, FINAL),
    ("wsd", "1-sqrt", FALLING, 0.0),
    (ROOT, "linear", FALLING, FINAL),
    (ROOT, "1-sqrt", FALLING, FINAL),
    (ROOT, "linear", FALLING, 0.0),
    (ROOT, "linear", 0, FINAL),
    (ROOT, "linear", 0, 0.6e-3),
]


class Groups:
    """What a scheduler asks of an optimizer: groups of parameters, one of them with its own peak, as under muP."""

    def __init__(self, final: float) -> None:
        self.param_groups = [{"default_config": True}, {"max_lr": PEAK / 4, "min_lr": final / 4}]

    def rates(self) -> list[float]:
        return [group["lr"] for group in self.param_groups]


@pytest.mark.parametrize(
    ("schedule", "cooldown", "falling", "final"), [SCHEDULES[0], SCHEDULES[4], SCHEDULES[6], SCHEDULES[8]]
)
def test_each_step_trains_with_the_learning_rate_of_the_schedule(schedule, cooldown, falling, final, tmp_path):
    rates = applied(planned(schedule, cooldown, falling, final), tmp_path / "one")
    assert rates == pytest.approx(expected(schedule, cooldown, falling, final), rel=1e-12, abs=1e-18)


@given(where=st.integers(0, STEPS - 1), schedule=st.sampled_from(SCHEDULES), warmup=st.integers(1, STEPS - FALLING))
def test_a_schedule_follows_its_formula_also_where_it_goes_on_from_a_checkpoint(where, schedule, warmup):
    plan, final = planned(*schedule), schedule[-1]
    plan = plan.model_copy(update={"training": plan.training.model_copy(update={"warmup_steps": warmup})})
    whole, again = Groups(final), Groups(final)
    first, second = build_scheduler(plan, whole), build_scheduler(plan, again)
    first.step(increment=where)
    second.num_steps = 0  # as the loader of checkpoints does
    second.load_state_dict(first.state_dict())
    for rate in expected(*schedule, warmup)[where:]:
        assert again.rates() == whole.rates()
        assert whole.rates() == pytest.approx([rate, rate / 4], rel=1e-9, abs=1e-18)
        first.step(increment=1)
        second.step(increment=1)


def test_an_inverse_square_root_without_cooldown_does_not_fall_below_its_floor():
    groups = Groups(0.6e-3)
    scheduler, seen = build_scheduler(planned(ROOT, falling=0, final=0.6e-3), groups), []
    for _ in range(STEPS):
        seen.append(groups.rates()[0])
        scheduler.step(increment=1)
    assert min(seen[WARMUP:]) == 0.6e-3 < seen[WARMUP]
    assert seen == pytest.approx(expected(ROOT, "linear", 0, 0.6e-3))
