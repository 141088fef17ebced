"""Money, energy and CO2: what they are proportional to, what published runs say, and their intervals."""

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.planner.cost import co2_estimate, energy_estimate, money_estimate
from sixnd.planner.machine import machine_of
from sixnd.planner.plan import make_plan
from sixnd.planner.spread import product
from sixnd.specs import catalog
from sixnd.specs.checks import check_budget
from sixnd.specs.plan import Estimate
from tests.planner.building import machine, spec
from tests.planner.shared_data import shared

LLAMA_GRID_KG = 0.385
"""The United States' average that LLaMA's authors took (Touvron et al. 2023, carbon footprint section)."""


def hours(value: float, spread: float = 1.0) -> Estimate:
    return Estimate(value=value, low=value / spread, high=value * spread, unit="s", basis="test")


@given(st.floats(0.1, 100), st.floats(1.01, 10))
@settings(deadline=None)
def test_dollars_scale_with_price(price, factor):
    one, other = (
        money_estimate(asked, machine_of(asked), hours(1e5, 1.3))
        for asked in (
            spec({"compute": 1e21}, cluster={"price_usd_per_accelerator_hour": each})
            for each in (price, price * factor)
        )
    )
    for end in ("low", "value", "high"):
        assert getattr(other, end) == pytest.approx(getattr(one, end) * factor)


@pytest.mark.parametrize("name", ["h100-sxm", "h200-sxm", "b200-sxm", "a100-sxm-80gb"])
def test_a_contract_for_a_year_is_cheaper_an_hour_than_on_demand_and_spot_cheaper_still(name):
    price = catalog.accelerator(name).price
    assert price.spot.usd_per_hour < price.usd_per_hour
    assert price.reserved.usd_per_hour < price.usd_per_hour
    for offer in (price, price.reserved, price.spot):
        assert offer.low <= offer.usd_per_hour <= offer.high
        assert offer.date[:2] == "20"
        assert offer.source


def test_the_contracts_that_were_read_lie_in_the_catalog_s_ranges():
    with shared("truth/gpu_prices.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] in ("reserved", "spot low")]
    assert {row["gpu"] for row in rows} == {"H100", "B200"}
    for row in rows:
        price = catalog.accelerator(f"{row['gpu'].lower()}-sxm").price
        offer = price.reserved if row["kind"] == "reserved" else price.spot
        for end in row["on_demand_usd_h"].split("-"):
            assert offer.low <= float(end) <= offer.high


def test_spot_is_interrupted_more_often_and_takes_longer():
    on_demand, spot = (
        make_plan(spec({"compute": 1e23}, "512 x h100-sxm", cluster={"pricing": pricing}))
        for pricing in ("on-demand", "spot")
    )
    known = catalog.accelerator("h100-sxm").reliability
    more = 1 + known.hours_between_failures / known.spot_hours_between_interruptions
    assert spot.estimates.failures.value == pytest.approx(on_demand.estimates.failures.value * more, rel=0.01)
    assert spot.estimates.wall_time_s.value > on_demand.estimates.wall_time_s.value
    assert spot.estimates.money_usd.value < on_demand.estimates.money_usd.value
    assert "spot" in spot.cluster.price_source


def test_a_contract_that_the_catalog_does_not_know_is_named_with_what_would_do():
    unknown = check_budget(spec({"compute": 1e14}, "2 x cpu-2core", cluster={"pricing": "reserved"}))
    assert [problem.path for problem in unknown] == [("cluster", "pricing")]
    assert "price_usd_per_accelerator_hour" in unknown[0].do
    never = check_budget(spec({"compute": 1e20}, "8 x b200-sxm", cluster={"pricing": "spot"}))
    assert "cluster.goodput" in never[0].do
    assert not check_budget(spec({"compute": 1e20}, "8 x b200-sxm", cluster={"pricing": "spot", "goodput": 0.8}))


def test_spares_are_paid_for():
    none, two = (
        make_plan(
            spec({"compute": 1e23}, "512 x h100-sxm", cluster={"spares": n, "replacement_time": "1 day"})
        ).estimates
        for n in (0, 2)
    )
    assert two.goodput.value > none.goodput.value
    held = (512 + 2 * 8) / 3600
    assert two.accelerator_hours.value == pytest.approx(two.wall_time_s.value * held)


@pytest.mark.parametrize(
    "said", [{"spares": 1}, {"restart_time": "1 min"}, {"replacement_time": "1 h"}, {"failures_every": "100 GPU-hours"}]
)
def test_what_is_said_of_failures_is_refused_where_it_changes_nothing(said):
    where = [("cluster", next(iter(said)))]
    pinned = check_budget(spec({"compute": 1e20}, cluster=said | {"goodput": 0.9}))
    unknown = check_budget(spec({"compute": 1e14}, "2 x cpu-2core", cluster=said))
    assert [problem.path for problem in pinned] == [problem.path for problem in unknown] == where
    assert not check_budget(spec({"compute": 1e20}, cluster=said))


def test_a_budget_of_money_pays_for_the_spares_too():
    plan = make_plan(spec({"money": "100k USD"}, "64 x h100-sxm", cluster={"spares": 2}))
    assert plan.estimates.money_usd.value == pytest.approx(1e5, rel=1e-3)


def test_model_cards_co2_is_their_gpus_maximum_power_by_llama_s_grid():
    """Cards count the GPUs' maximum alone: with PUE 1.1 and 0.385 kg a kWh (LLaMA's) they come out within 4 %."""
    with shared("truth/training_runs.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == "model card" and row["co2_t"]]
    assert len(rows) >= 4
    for row in rows:
        a = catalog.accelerator("h100-sxm" if row["gpu_type"].startswith("H100") else "a100-sxm-80gb")
        card_kg = float(row["gpu_hours"]) * a.power_w / 1000 * a.pue * LLAMA_GRID_KG
        assert card_kg == pytest.approx(float(row["co2_t"]) * 1000, rel=0.04), row["model"]


def test_with_its_hosts_a_cluster_draws_more_than_model_cards_count():
    """Llama 3.1 405B's model card, 30.84 million hours and 8,930 t of CO2, leaves hosts, fans and network out."""
    asked, cluster = (
        spec({"compute": 1e20}, "1 x h100-sxm", cluster={"grid_kg_co2_per_kwh": LLAMA_GRID_KG}),
        machine("1 x h100-sxm"),
    )
    energy = energy_estimate(asked, cluster, hours(30.84e6 * 3600))
    co2 = co2_estimate(asked, energy)
    assert 1.1 < co2.low / 8_930e3 < co2.value / 8_930e3 < co2.high / 8_930e3 < 1.6


def test_an_h100_node_draws_what_was_measured():
    """Newkirk et al. 2025: 76 % of 10.2 kW; Latif et al. 2024: 8.48 kW at most."""
    drawn = catalog.accelerator("h100-sxm").drawn_power
    assert drawn.watts * 8 == pytest.approx(0.76 * 10_200)
    assert drawn.high * 8 == pytest.approx(8_480)


def test_the_default_grid_is_the_world_s_and_says_how_to_set_another():
    e = make_plan(spec({"compute": 1e21})).estimates
    world = catalog.grid("world")
    assert e.co2_kg.value == pytest.approx(e.energy_kwh.value * world.kg_co2_per_kwh)
    assert str(world.year) in e.co2_kg.basis
    assert "cluster.grid_kg_co2_per_kwh" in e.co2_kg.basis
    clean = make_plan(spec({"compute": 1e21}, cluster={"grid_kg_co2_per_kwh": 0})).estimates.co2_kg
    assert (clean.low, clean.value, clean.high) == (0, 0, 0)


positive = st.floats(1e-3, 1e3)
spans = st.tuples(positive, st.floats(1, 5), st.floats(1, 5)).map(
    lambda each: (each[0] / each[1], each[0], each[0] * each[2])
)


@given(spans, spans)
def test_a_product_s_interval_holds_each_factor_s_and_is_narrower_than_both_ends_at_once(one, other):
    low, value, high = product(one, other)
    assert value == pytest.approx(one[1] * other[1])
    assert one[0] * other[0] <= low * (1 + 1e-9)
    assert low <= min(one[0] * other[1], one[1] * other[0]) * (1 + 1e-9)
    assert high <= one[2] * other[2] * (1 + 1e-9)
    assert high >= max(one[2] * other[1], one[1] * other[2]) * (1 - 1e-9)


def test_a_free_machine_costs_nothing_unless_the_catalog_s_range_says_otherwise():
    asked, cluster = spec({"compute": 1e14}, "2 x cpu-2core"), machine("2 x cpu-2core")
    money = money_estimate(asked, cluster, hours(10.0, 1.5))
    assert (money.low, money.value, money.high) == (0, 0, 0)
