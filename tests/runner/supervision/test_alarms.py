"""The rules that tell a step that went wrong, as pure functions of numbers."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.runner.supervision.alarms import StepRules, ThroughputRule, loss_threshold
from sixnd.specs.supervision import Supervision

RULES = Supervision(window=32)
losses = st.lists(st.floats(0.1, 20), min_size=8, max_size=32)


def taught(values: list[float], norm: float = 1.0) -> StepRules:
    rules = StepRules(RULES)
    for value in values:
        rules.learn(value, norm)
    return rules


@given(losses, st.floats(1, 20))
def test_a_loss_within_the_window_of_a_quiet_run_is_no_spike(values: list[float], deviations: float) -> None:
    threshold = loss_threshold(values, deviations)
    middle = statistics.median(values)
    assert threshold >= 1.05 * middle * (1 - 1e-12), "5 % at the least"
    assert threshold >= middle + deviations * statistics.median(abs(v - middle) for v in values)


@given(losses, st.floats(0.1, 10))
def test_the_rule_knows_no_unit(values: list[float], scale: float) -> None:
    scaled = loss_threshold([scale * value for value in values], 10)
    assert scaled == pytest.approx(scale * loss_threshold(values, 10))


@given(losses)
def test_one_wild_loss_in_the_window_does_not_hide_the_next(values: list[float]) -> None:
    calm = [3.0 + 0.01 * (i % 3) for i in range(31)]
    assert loss_threshold([*calm, max(values) * 1e6], 10) < 3.6


def test_a_spike_of_the_loss_is_told_with_its_threshold() -> None:
    found = taught([3.0, 3.1, 2.9, 3.0, 3.05, 2.95, 3.0, 3.0]).judge(9.0, 1.0)
    assert found is not None
    assert (found.rule, found.value) == ("loss-spike", 9.0)
    assert 3.0 < found.threshold < 9.0


def test_a_spike_of_the_gradient_norm_is_told() -> None:
    rules = taught([3.0] * 8)
    assert rules.judge(3.0, 9.9) is None
    found = rules.judge(3.0, 10.1)
    assert found is not None
    assert (found.rule, found.threshold) == ("gradient-spike", 10.0)


def test_nothing_is_a_spike_before_a_quarter_of_the_window_is_known() -> None:
    assert taught([3.0] * 7).judge(1e9, 1e9) is None
    assert taught([3.0] * 8).judge(1e9, 1.0) is not None


@given(st.sampled_from([math.nan, math.inf, -math.inf]), st.booleans())
def test_what_is_no_finite_number_is_told_from_the_first_step_and_never_learnt(bad: float, in_norm: bool) -> None:
    rules = StepRules(RULES)
    loss, norm = (1.0, bad) if in_norm else (bad, 1.0)
    found = rules.judge(loss, norm)
    assert found is not None
    assert found.rule == "non-finite"
    rules.learn(loss, norm)
    assert not rules.losses


def test_a_falling_loss_raises_no_alarm() -> None:
    rules = StepRules(RULES)
    for step in range(1, 200):
        loss = 10 * step**-0.3
        assert rules.judge(loss, loss) is None
        rules.learn(loss, loss)


def test_a_drop_of_speed_is_told_once_until_it_is_over() -> None:
    rule = ThroughputRule(RULES)
    told = [rule.judge(seconds, 8) for seconds in [1.0] * 20 + [4.0] * 8 + [1.0] * 12 + [4.0] * 8]
    found = [i for i, finding in enumerate(told) if finding is not None]
    assert len(found) == 2
    assert 20 <= found[0] < 28
    assert 40 <= found[1] < 48
    first = told[found[0]]
    assert first is not None
    assert first.value < RULES.throughput_share


@pytest.mark.parametrize(("slow_steps", "is_told"), [(4, False), (5, True)])
def test_steps_are_slow_for_ten_seconds_before_it_is_told(slow_steps: int, is_told: bool) -> None:
    rule = ThroughputRule(RULES)
    for _ in range(20):
        rule.judge(1.0, 8)
    before = 3  # with the fourth the median of the last eight is slow
    assert any(rule.judge(2.4, 8) for _ in range(before + slow_steps)) == is_told


@given(st.lists(st.floats(0.9, 1.2), max_size=100))
def test_a_tenth_more_or_less_is_no_drop_of_speed(seconds: list[float]) -> None:
    rule = ThroughputRule(RULES)
    assert not any(rule.judge(each, 8) for each in seconds)
