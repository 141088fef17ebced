"""Failures in closed form and by simulation agree with each other, with Daly's figures and with published runs."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sixnd.planner.explanation import Facts
from sixnd.planner.failures import (
    Draws,
    Stops,
    best_interval_s,
    daly_interval_s,
    expected_parts,
    expected_stops,
    waiting_share,
    young_interval_s,
)
from sixnd.planner.goodput import WallClock, known_stops, most_steps, run_estimates
from sixnd.planner.machine import machine_of
from sixnd.planner.plan import make_plan
from sixnd.planner.simulation import simulate
from sixnd.specs import catalog
from sixnd.specs.errors import InfeasibleError
from sixnd.specs.plan import Estimate
from tests.planner.building import machine, spec

STOPS = Stops(between_s=20_000, restart_s=600, write_s=60, stall_s=60)
MANY = Stops(between_s=2_000, restart_s=600, write_s=200, stall_s=20)
REPLACED = replace(STOPS, replaced_share=0.78, replacement_s=30_000)
TRAIN_S = 3e6

some_stops = st.builds(
    lambda between, restart, write, share: Stops(between, restart * between, write * between, share * write * between),
    st.floats(1e3, 1e7),
    st.floats(1e-4, 0.5),
    st.floats(1e-4, 0.3),
    st.floats(0.05, 1),
)


def evaluated(plan):
    """Time of evaluations over that of training."""
    return Facts(plan).clock.evaluated_share


def total(stops: Stops, train_s: float = TRAIN_S) -> float:
    return expected_parts(stops, train_s, best_interval_s(stops)).total


@pytest.mark.parametrize(("hours", "minutes"), [(24, "117"), (6, "57"), (0.25, "9.1")])
def test_daly_s_interval_is_the_one_in_his_figures(hours, minutes):
    """Daly 2006, figures 3 to 5: writing takes 5 minutes."""
    assert float(f"{daly_interval_s(300, hours * 3600) / 60:.{len(minutes.replace('.', ''))}g}") == float(minutes)


def test_young_s_interval_is_daly_s_where_writing_is_short():
    assert daly_interval_s(1, 1e7) == pytest.approx(young_interval_s(1, 1e7), rel=1e-3)
    assert daly_interval_s(1_000, 10_000) < young_interval_s(1_000, 10_000)


@given(some_stops)
@settings(max_examples=25, deadline=None)
def test_daly_s_interval_loses_least(stops):
    best = best_interval_s(stops)
    grid = np.geomspace(max(best / 30, stops.lag_s), best * 30, 60)
    least = min(expected_parts(stops, TRAIN_S, float(interval)).total for interval in grid)
    assert expected_parts(stops, TRAIN_S, best).total <= least * 1.003


@pytest.mark.parametrize(
    "stops",
    [
        STOPS,
        MANY,
        replace(STOPS, stall_s=0),
        replace(STOPS, stall_s=6),
        REPLACED,
        replace(REPLACED, spares=1),
        replace(REPLACED, spares=3),
        replace(MANY, replaced_share=1, replacement_s=5_000, spares=2),
    ],
    ids=[
        "synchronous",
        "often",
        "asynchronous",
        "a tenth",
        "no spare",
        "one spare",
        "three spares",
        "often, two spares",
    ],
)
def test_the_simulation_s_mean_is_the_closed_form(stops):
    """Wall-clock, waiting and stops of 400 runs, within four standard errors."""
    interval = best_interval_s(stops)
    train_s = interval * round(TRAIN_S / interval)
    runs = simulate(stops, interval, Draws.alike(stops, train_s, 400), seed=1)
    parts = expected_parts(stops, train_s, interval)
    for found, expected in (
        (runs.wall_s, parts.total),
        (runs.waited_s, parts.waiting),
        (runs.stops, expected_stops(stops, parts)),
    ):
        assert abs(found.mean() - expected) <= 4 * found.std() / math.sqrt(found.size) + 1e-4 * expected


@given(some_stops, st.floats(0.0, 1), st.floats(0.0, 2), st.integers(0, 4), st.integers(0, 2**16))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_the_simulation_and_the_closed_form_agree_wherever_they_are_asked(stops, share, missing, spares, seed):
    """Within five standard errors: by chance one such test in two million fails, and these are always the same."""
    stops = replace(stops, replaced_share=share, replacement_s=missing * stops.between_s, spares=spares)
    interval = best_interval_s(stops)
    train_s = interval * math.ceil(300 * stops.between_s / interval)
    wall = simulate(stops, interval, Draws.alike(stops, train_s, 200), seed).wall_s
    expected = expected_parts(stops, train_s, interval).total
    assert abs(wall.mean() - expected) <= 5 * wall.std() / math.sqrt(wall.size) + 2e-3 * expected


def test_a_run_that_is_not_stopped_takes_its_training_and_its_checkpoints():
    calm = replace(STOPS, between_s=1e15, stall_s=20)
    runs = simulate(calm, 1_000, Draws.alike(calm, 10_500, 3), seed=0)
    assert runs.wall_s == pytest.approx(10_500 + 11 * 20 + 40)
    assert not runs.stops.any()
    assert not runs.waited_s.any()


def test_the_same_seed_plays_the_same_runs():
    draws = Draws.alike(REPLACED, TRAIN_S, 20)
    one, same, other = (simulate(REPLACED, 1_500, draws, seed) for seed in (1, 1, 2))
    assert (one.wall_s == same.wall_s).all()
    assert (one.wall_s != other.wall_s).any()


@given(some_stops)
@settings(max_examples=50, deadline=None)
def test_the_parts_are_positive_and_work_done_again_is_half_an_interval_a_stop(stops):
    stops = replace(stops, between_s=100 * stops.between_s)
    interval = best_interval_s(stops)
    parts = expected_parts(stops, TRAIN_S, interval)
    assert all(seconds >= 0 for seconds in parts.plain().values())
    half = (interval + stops.stall_s) / 2 + stops.lag_s
    assert parts.lost_work / expected_stops(stops, parts) == pytest.approx(half, rel=0.1)


@given(some_stops, st.floats(1.01, 10))
@settings(max_examples=50, deadline=None)
def test_goodput_falls_with_failures(stops, factor):
    assert total(replace(stops, between_s=stops.between_s / factor)) > total(stops)


@given(some_stops, st.floats(1.01, 10))
@settings(max_examples=50, deadline=None)
def test_goodput_falls_with_the_time_to_restart(stops, factor):
    assert total(replace(stops, restart_s=stops.restart_s * factor)) > total(stops)


@given(some_stops, st.floats(0.01, 1), st.floats(1, 1e5), st.integers(0, 30))
@settings(max_examples=50, deadline=None)
def test_a_spare_never_lowers_goodput(stops, share, replacement, spares):
    few = replace(stops, replaced_share=share, replacement_s=replacement, spares=spares)
    more = replace(few, spares=spares + 1)
    assert 0 <= waiting_share(more) <= waiting_share(few) < 1
    assert total(more) <= total(few)


@given(st.sampled_from(["h100-sxm", "a100-sxm-80gb"]), st.integers(1, 64), st.integers(2, 8), st.floats(1e9, 1e12))
@example("h100-sxm", 1, 2, 984_629_017_681)
@settings(max_examples=30, deadline=None)
def test_goodput_falls_with_the_number_of_accelerators(name, machines, factor, params):
    few, more = (
        WallClock(spec({"compute": 1e20}, f"{n} x {name}"), machine(f"{n} x {name}"), int(params), 10**6, 1.0)
        for n in (machines * 8, machines * 8 * factor)
    )
    # Their restarts may take less time in all: more accelerators load the state faster.
    assert expected_stops(more.stops, more.parts) > expected_stops(few.stops, few.parts)
    if machines * 8 * factor * 150e6 > 2e12:  # storage does not write faster for more accelerators
        assert more.goodput < few.goodput


def test_saving_beside_training_helps_and_never_more_than_saving_costs():
    beside, waiting = (
        make_plan(spec({"compute": 1e24}, "4096 x h100-sxm", checkpoints={"stall_share": share}))
        for share in (0.05, 1.0)
    )
    assert beside.estimates.goodput.value > waiting.estimates.goodput.value
    assert beside.checkpoints.every_steps < waiting.checkpoints.every_steps


def test_llama_3_405b_s_failures_and_goodput_come_out():
    """Grattafiori et al. 2024, §3.3.4: 419 unexpected stops in 54 days on 16,384 H100, more than 90 % effective."""
    clock = WallClock(spec({"compute": 1e25}, "16384 x h100-sxm"), machine("16384 x h100-sxm"), 405_853_388_800, 5, 1.0)
    stops = clock.stops
    assert 54 * 86_400 / stops.between_s == pytest.approx(419, rel=0.01)
    parts = expected_parts(stops, 54 * 86_400.0, best_interval_s(stops))
    assert 0.90 < parts.goodput < 0.95


def test_megascale_s_goodput_comes_out():
    """Jiang et al. 2024 (arXiv:2402.15627): a model of hundreds of billions on more than 10,000 GPUs, over 90 %."""
    stops = known_stops(spec({"compute": 1e25}, "12288 x a100-sxm-80gb"), machine("12288 x a100-sxm-80gb"), 175 * 10**9)
    assert 0.90 < expected_parts(stops, 1e7, best_interval_s(stops)).goodput < 0.97


def test_a_pinned_goodput_is_taken_as_it_is():
    plan = make_plan(spec({"compute": 1e22}, "64 x h100-sxm", cluster={"goodput": 0.8}))
    e = plan.estimates
    assert e.wall_time_s.value == pytest.approx(e.train_time_s.value * (1 + evaluated(plan)) / 0.8)
    assert e.goodput is None
    assert e.failures is None


def test_where_no_failures_are_known_the_catalog_s_share_stands():
    plan = make_plan(spec({"time": "2 min"}, "1 x cpu-2core", model={"sequence_length": 128}))
    share = catalog.accelerator("cpu-2core").goodput
    assert plan.estimates.wall_time_s.value == pytest.approx(
        plan.estimates.train_time_s.value * (1 + evaluated(plan)) / share
    )
    assert plan.estimates.failures is None


def test_the_interval_of_wall_clock_holds_that_of_training_and_the_luck_of_failures():
    plan = make_plan(spec({"compute": 1e25}, "16384 x h100-sxm"))
    e = plan.estimates
    assert e.wall_time_s.value == pytest.approx(e.train_time_s.value * (1 + evaluated(plan)) / e.goodput.value)
    assert e.wall_time_s.high / e.wall_time_s.value > e.train_time_s.high / e.train_time_s.value
    assert e.goodput.low < e.goodput.value < e.goodput.high < 1
    few = make_plan(spec({"compute": 1e20})).estimates
    assert few.wall_time_s.high / few.wall_time_s.value == pytest.approx(
        few.train_time_s.high / few.train_time_s.value, rel=0.02
    )


def test_where_machines_run_out_the_interval_reaches_what_the_worst_failure_rate_makes_of_it():
    """The runs of very many stops, that are not played, wait for machines by their own failure rate too."""
    cluster = {"spares": 64, "replacement_time": "24 hours", "restart_time": "3 min"}
    low, _ = catalog.accelerator("h100-sxm").reliability.hours_between_failures_range

    def clock(**more):
        asked = spec({"compute": 1e26}, "98304 x h100-sxm", cluster=cluster | more)
        return WallClock(asked, machine_of(asked), params=10**12, steps=500_000, step_time_s=5.0)

    train = Estimate(value=2.5e6, low=2.5e6, high=2.5e6, unit="s", basis="")
    goodput = run_estimates(clock(), train).goodput
    worst = clock(failures_every=f"{low} GPU-hours").goodput
    assert goodput.low == pytest.approx(worst, rel=0.1)
    assert goodput.low < goodput.value / 2


@given(st.floats(1e3, 1e7), st.sampled_from([8, 512, 4096]), st.floats(0.05, 20))
@settings(max_examples=30, deadline=None)
def test_steps_within_a_time_fill_it(wall_s, count, step_s):
    asked, cluster = spec({"compute": 1e20}, f"{count} x h100-sxm"), machine(f"{count} x h100-sxm")

    def fits(steps):
        return WallClock(asked, cluster, 10**10, steps, step_s).expected_s <= wall_s

    steps = most_steps(fits, int(wall_s / step_s) + 1)
    assert not steps or fits(steps)
    assert not fits(steps + 1)


def test_a_cluster_that_stops_before_it_has_restarted_is_infeasible():
    with pytest.raises(InfeasibleError, match="s to restart"):
        make_plan(spec({"compute": 1e27}, "4194304 x h100-sxm", model={"params": 1e12}))


def test_the_spec_s_own_failures_and_restart_stand_in_for_the_catalog_s():
    asked = {"failures_every": "10000 GPU-hours", "restart_time": "3 min"}
    mine, theirs = (make_plan(spec({"compute": 1e24}, "1024 x h100-sxm", cluster=each)) for each in (asked, {}))
    e = mine.estimates
    assert e.failures.value == pytest.approx(e.wall_time_s.value / 3600 * 1024 / 10_000)
    spread = e.failures.high / e.failures.low
    assert spread < theirs.estimates.failures.high / theirs.estimates.failures.low
    assert e.wall_time_s.high / e.wall_time_s.low == pytest.approx(e.train_time_s.high / e.train_time_s.low, rel=0.05)


def test_a_cluster_larger_than_any_published_is_planned_and_its_goodput_warned_of():
    shape = {"layers": 128, "hidden": 16384, "heads": 128, "kv_heads": 8, "ffn": 53248}
    large = {"model": {"sequence_length": 8192, "shape": shape}, "training": {"global_batch": "50331648 tokens"}}
    plan = make_plan(spec({"compute": 1e26}, "98304 x h100-sxm", **large))
    assert plan.estimates.goodput.value < 0.9
    told = [warning for warning in plan.warnings if warning.startswith("goodput")]
    assert len(told) == 1
    assert "restart_time" in told[0]
    faster = make_plan(spec({"compute": 1e26}, "98304 x h100-sxm", **large, cluster={"restart_time": "150 s"}))
    assert faster.estimates.goodput.value > plan.estimates.goodput.value + 0.1
