"""Two plans or runs side by side: numbers, fields and decisions that differ, and nothing else."""

import json

import pytest

from sixnd.planner.plan import make_plan
from sixnd.reports.difference import plan_difference, run_difference
from sixnd.reports.difference_tables import difference_tables
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.load import parse
from tests.reports.build import Story, resumed_run, small_plan
from tests.specs.example import SPEC, spec_with


def planned(*changes):
    return make_plan(parse(spec_with(*changes) if changes else SPEC, "spec.yaml", BudgetSpec))


def test_a_plan_does_not_differ_from_itself():
    facts = plan_difference(planned(), planned())
    assert {pair.change for pair in facts.planned} == {"the same"}
    assert facts.fields == []
    assert facts.choices == []
    assert facts.verdict == "No number that matters differs. No fields of the specs and no decisions differ."


def test_fields_numbers_and_decisions_that_differ_are_told():
    first, second = planned(), planned(("compute: 3e21 FLOPs", "compute: 6e21 FLOPs"), ("weight: 2", "weight: 3"))
    facts = plan_difference(first, second)
    assert [(field.path, field.first, field.second) for field in facts.fields] == [
        ("budget.compute", "3e+21 FLOPs", "6e+21 FLOPs"),
        ("data.sources.code.weight", "2.0", "3.0"),
    ]
    at = {pair.key: pair for pair in facts.planned}
    assert at["compute"].change.startswith(("+9", "+10", "× 2"))
    assert at["loss"].change.startswith("−0.")
    assert at["loss"].change.endswith(" nats")
    assert "model.params" in {choice.what for choice in facts.choices}


def test_a_difference_turned_around_has_the_opposite_signs():
    first, second = planned(), planned(("compute: 3e21 FLOPs", "compute: 4e21 FLOPs"))
    there, back = plan_difference(first, second), plan_difference(second, first)
    signs = [
        (a.change[0], b.change[0]) for a, b in zip(there.planned, back.planned, strict=True) if a.change[:1] in "+−"
    ]
    assert signs
    assert all({one, other} == {"+", "−"} for one, other in signs)


def test_estimates_whose_intervals_do_not_touch_are_marked():
    facts = plan_difference(planned(), planned(("compute: 3e21 FLOPs", "compute: 2e22 FLOPs")))
    at = {pair.key: pair for pair in facts.planned}
    assert at["wall_time"].apart is True
    assert at["params"].apart is None
    (table,) = [table for table in difference_tables(facts) if table.key == "planned"]
    assert "chosen" in {line.mark for line in table.lines}


def test_plans_of_one_name_are_told_apart():
    facts = plan_difference(planned(), planned(("compute: 3e21 FLOPs", "compute: 6e21 FLOPs")))
    assert facts.first != facts.second
    assert facts.first.startswith("example/")


@pytest.fixture
def runs():
    plan = small_plan()
    other = plan.model_copy(update={"name": "other"})
    story = Story(other).launch(1, "2026-05-04T08:00:00Z").prepared().train(1, 1, 400).finish()
    return (plan, resumed_run(plan)), (other, story.end(1, "2026-05-04T08:09:00Z").record())


def test_runs_are_compared_by_what_became_of_them(runs):
    facts = run_difference(*runs)
    at = {pair.key: pair for pair in facts.measured}
    assert at["tokens"].change == "the same"
    assert at["wall_time"].change.startswith("−")
    assert (at["energy"].first, at["energy"].change) == (None, "")
    assert {"loss", "validation_loss"} <= {curves.key for curves in facts.curves}
    assert facts.kind == "runs"
    assert facts.warnings == []


def test_losses_on_other_data_are_warned_of(runs):
    (plan, record), (other, after) = runs
    data = other.data.model_copy(update={"validation_fraction": 0.2})
    facts = run_difference((plan, record), (other.model_copy(update={"data": data}), after))
    assert "not those of the same text" in facts.warnings[0]


def test_every_table_is_whole_and_the_facts_are_json(runs):
    for facts in (plan_difference(planned(), planned()), run_difference(*runs)):
        for table in difference_tables(facts):
            assert table.lines
        json.dumps(facts.plain(), allow_nan=False)
