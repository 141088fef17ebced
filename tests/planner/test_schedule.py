"""The ends of a schedule in whole steps, and what its decision tells."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.planner.explain import explain
from sixnd.planner.plan import make_plan
from sixnd.planner.schedule import final_rate, scheduled_steps
from sixnd.specs.budget import Training
from tests.planner.building import spec

ROOT = "inverse-square-root"
SHARES = st.floats(0, 0.5)


def told(plan, what):
    return next(each for each in plan.decisions if each.what == what)


@given(
    steps=st.integers(1, 10**6),
    schedule=st.sampled_from(["cosine", "wsd", ROOT]),
    warmup=SHARES,
    decay=SHARES,
)
def test_both_ends_fit_into_the_steps(steps, schedule, warmup, decay):
    asked = Training(schedule=schedule, warmup_fraction=warmup, decay_fraction=decay)
    ends = scheduled_steps(asked, steps)
    assert 0 <= ends.rising < max(steps, 1)
    assert ends.falling >= (0 if schedule == ROOT else 1)
    assert ends.rising + ends.falling <= steps + (schedule == "wsd")
    assert 0 <= final_rate(asked, 1.0, steps) <= 1


def test_an_inverse_square_root_is_planned_with_its_cooldown():
    plan = make_plan(spec({"compute": 1e21}, training={"schedule": ROOT}))
    t = plan.training
    assert t.decay_steps == round(0.2 * t.steps)
    assert t.final_learning_rate == pytest.approx(t.learning_rate / 10)
    assert f"{t.decay_steps:,} down (1-sqrt)" in told(plan, "training.schedule").value
    other = told(plan, f"training.schedule: {ROOT} against cosine").reason
    assert "1.15 runs with inverse-square-root" in other
    assert "about the same loss" not in other, "which is known of wsd"
    steps = {step.step: step.value for step in explain(plan, "schedule").steps}
    assert steps["falling"] == t.decay_steps
    assert steps["before the cooldown"] == pytest.approx(
        t.learning_rate * math.sqrt(t.warmup_steps / (t.steps - t.decay_steps))
    )


def test_without_cooldown_it_ends_where_the_root_has_fallen_to():
    plan = make_plan(spec({"compute": 1e21}, training={"schedule": ROOT, "decay_fraction": 0}))
    t = plan.training
    assert t.decay_steps == 0
    assert t.final_learning_rate == pytest.approx(t.learning_rate * math.sqrt(t.warmup_steps / t.steps))
    assert "without cooldown" in told(plan, "training.schedule").value
    explained = {step.step: step.value for step in explain(plan, "schedule").steps}
    assert explained["at the last step"] == pytest.approx(t.final_learning_rate)
    assert "before the cooldown" not in explained
    higher = make_plan(
        spec({"compute": 1e21}, training={"schedule": ROOT, "decay_fraction": 0, "final_lr_fraction": 0.5})
    )
    assert higher.training.final_learning_rate == pytest.approx(t.learning_rate / 2)
