"""Rows of cost in a plan's report that older plans do not have."""

from sixnd.reports.plan_facts import plan_facts
from sixnd.specs.plan import Estimate
from tests.reports.build import big_plan


def _estimate(value: float, unit: str) -> Estimate:
    return Estimate(value=value, low=value / 2, high=value * 1.01, unit=unit, basis=f"basis of {unit}")


def _with_costs():
    more = {
        "co2_kg": _estimate(18.2e6, "kg"),
        "goodput": _estimate(0.9236, "share"),
        "failures": _estimate(700.5, "stops"),
    }
    made = big_plan()
    return made.model_copy(update={"estimates": made.estimates.model_copy(update=more)})


def test_co2_goodput_and_stops_stand_after_the_energy_with_their_intervals():
    rows = {number.key: number for number in plan_facts(_with_costs()).key_numbers}
    keys = list(rows)
    assert keys[keys.index("energy") :] == ["energy", "co2", "goodput", "failures", "loss"]
    assert rows["co2"].figure.full == "18.2 kt (9.1–18.4)"
    assert rows["goodput"].figure.text == "92.4 %"
    assert rows["failures"].figure.text == "700"
    assert rows["co2"].reason == "basis of kg"


def test_a_plan_that_was_made_before_them_has_no_such_rows():
    assert not {"co2", "goodput", "failures"} & {number.key for number in plan_facts(big_plan()).key_numbers}
