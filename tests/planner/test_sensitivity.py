"""Sensitivities are the cost functions evaluated again, one input at a time."""

import pytest

from sixnd.planner.cost import inverse
from sixnd.planner.goodput import WallClock, run_estimates
from sixnd.planner.machine import machine_of
from sixnd.planner.sensitivity import sensitivities
from sixnd.specs.plan import Estimate
from tests.planner.building import spec

PARAMS, STEPS, STEP_S = 400_000_000_000, 500_000, 8.0


def rows(accelerators="16384 x h100-sxm", **parts):
    asked = spec({"compute": 1e25}, accelerators, **parts)
    clock = clock_of(asked)
    step = Estimate(value=STEP_S, low=STEP_S / 1.15, high=STEP_S * 1.15, unit="s", basis="")
    mfu = inverse(step, 3.2, "share of peak", "")
    train = step.model_copy(update={end: getattr(step, end) * clock.steps for end in ("value", "low", "high")})
    run = run_estimates(clock, train)
    return clock, {row.what: row for row in sensitivities(clock, step, mfu, run.goodput)}


def clock_of(asked):
    return WallClock(asked, machine_of(asked), PARAMS, STEPS, STEP_S)


def dollars(clock):
    price = clock.machine.planned.price_usd_per_accelerator_hour
    return clock.expected_s * clock.spec.accelerators_held / 3600 * price


def test_every_input_has_a_row_and_the_furthest_reaching_comes_first():
    _, found = rows()
    reach = [abs(row.interval.money_at_high_usd - row.interval.money_at_low_usd) for row in found.values()]
    assert set(found) == {"MFU", "Price", "Goodput", "Failures every", "Restart in"}
    assert reach == sorted(reach, reverse=True)


def test_the_price_moves_dollars_in_proportion_and_no_day():
    clock, found = rows()
    price = found["Price"]
    assert price.tenth.money_at_high_usd == pytest.approx(1.1 * dollars(clock))
    assert price.tenth.wall_time_at_low_s == price.tenth.wall_time_at_high_s == pytest.approx(clock.expected_s)
    assert (price.interval.low, price.interval.high) == (1.99, 6.88)
    assert price.interval.money_at_low_usd == pytest.approx(1.99 / price.value * dollars(clock))


def test_a_tenth_less_mfu_is_a_step_longer_by_a_ninth():
    clock, found = rows()
    slower = WallClock(clock.spec, clock.machine, PARAMS, STEPS, STEP_S / 0.9)
    assert found["MFU"].tenth.wall_time_at_low_s == pytest.approx(slower.expected_s, rel=1e-9)
    assert found["MFU"].interval.low < found["MFU"].value < found["MFU"].interval.high


def test_the_ends_of_the_failure_rate_are_those_of_a_spec_that_pins_it():
    _, found = rows()
    low = found["Failures every"].interval.low
    pinned = clock_of(spec({"compute": 1e25}, "16384 x h100-sxm", cluster={"failures_every": f"{low} GPU-hours"}))
    held = found["Failures every"].interval.wall_time_at_low_s
    assert held >= pinned.expected_s  # the checkpoint interval stays as planned, which costs a little
    assert held == pytest.approx(pinned.expected_s, rel=0.02)


def test_rarer_failures_and_faster_restarts_never_cost_more():
    _, found = rows()
    for swing in (found["Failures every"].interval, found["Failures every"].tenth):
        assert swing.wall_time_at_high_s < swing.wall_time_at_low_s
    for swing in (found["Restart in"].interval, found["Restart in"].tenth):
        assert swing.wall_time_at_high_s > swing.wall_time_at_low_s


def test_goodput_spans_what_failures_and_restarts_do_and_is_never_above_one():
    clock, found = rows()
    goodput = found["Goodput"]
    assert goodput.value == pytest.approx(clock.goodput)
    assert goodput.interval.wall_time_at_low_s == pytest.approx(clock.train_s / goodput.interval.low)
    assert goodput.tenth.high == 1.0
    assert goodput.tenth.wall_time_at_high_s == pytest.approx(clock.train_s)


def test_what_the_spec_pins_has_no_interval_and_still_a_tenth():
    cluster = {"price_usd_per_accelerator_hour": "2 USD", "restart_time": "5 min", "failures_every": "20000 GPU-hours"}
    _, found = rows(cluster=cluster)
    assert [what for what, row in found.items() if row.interval is None] == ["Price", "Failures every", "Restart in"]
    assert found["Restart in"].tenth.high == pytest.approx(330)
    assert "spec" in found["Price"].basis


def test_a_pinned_goodput_leaves_no_failures_to_vary():
    _, found = rows(cluster={"goodput": 0.9})
    assert set(found) == {"MFU", "Price", "Goodput"}
    assert found["Goodput"].interval is None
    assert found["Goodput"].tenth.high == pytest.approx(0.99)


def test_spot_capacity_adds_its_reclaims_and_a_replacement_time_its_row():
    _, found = rows("1024 x h100-sxm", cluster={"pricing": "spot", "replacement_time": "2 hours", "spares": 2})
    assert {"Reclaims every", "Replacement in"} <= set(found)
    reclaims = found["Reclaims every"].interval
    assert reclaims.wall_time_at_high_s < reclaims.wall_time_at_low_s


def test_a_machine_that_costs_nothing_has_no_price_to_vary_and_its_rows_go_by_days():
    _, found = rows("4 x cpu-2core")
    assert list(found) == ["MFU", "Goodput"]
