"""Plans or runs side by side: numbers, fields and decisions that differ, and nothing else."""

import json

import pytest

from sixnd.planner.plan import make_plan
from sixnd.reports.difference import plan_difference, run_difference
from sixnd.reports.difference_charts import difference_charts
from sixnd.reports.difference_tables import difference_tables
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.load import parse
from sixnd.specs.record import RunRecord
from tests.reports.build import Story, resumed_run, small_plan
from tests.specs.example import SPEC, spec_with


def planned(*changes):
    return make_plan(parse(spec_with(*changes) if changes else SPEC, "spec.yaml", BudgetSpec))


def test_a_plan_does_not_differ_from_itself():
    facts = plan_difference(planned(), planned())
    assert {change for row in facts.planned for change in row.changes} == {"the same"}
    assert facts.fields == []
    assert facts.choices == []
    assert facts.verdict == "No number that matters differs. No fields of the specs and no decisions differ."


def test_fields_numbers_and_decisions_that_differ_are_told():
    first, second = planned(), planned(("compute: 3e21 FLOPs", "compute: 6e21 FLOPs"), ("weight: 2", "weight: 3"))
    facts = plan_difference(first, second)
    assert [(field.path, *field.values) for field in facts.fields] == [
        ("budget.compute", "3e+21 FLOPs", "6e+21 FLOPs"),
        ("data.sources.code.weight", "2.0", "3.0"),
    ]
    at = {pair.key: pair for pair in facts.planned}
    assert at["compute"].changes[0].startswith(("+9", "+10", "× 2"))
    assert at["loss"].changes[0].startswith("−0.")
    assert at["loss"].changes[0].endswith(" nats")
    assert "model.params" in {choice.what for choice in facts.choices}


def test_a_difference_turned_around_has_the_opposite_signs():
    first, second = planned(), planned(("compute: 3e21 FLOPs", "compute: 4e21 FLOPs"))
    there, back = plan_difference(first, second), plan_difference(second, first)
    signs = [
        (a.changes[0][0], b.changes[0][0])
        for a, b in zip(there.planned, back.planned, strict=True)
        if a.changes[0][:1] in "+−"
    ]
    assert signs
    assert all({one, other} == {"+", "−"} for one, other in signs)


def test_estimates_whose_intervals_do_not_touch_are_marked():
    facts = plan_difference(planned(), planned(("compute: 3e21 FLOPs", "compute: 2e22 FLOPs")))
    at = {pair.key: pair for pair in facts.planned}
    assert at["wall_time"].apart == [True]
    assert at["params"].apart == [None]
    (table,) = [table for table in difference_tables(facts) if table.key == "planned"]
    assert "chosen" in {line.mark for line in table.lines}


def test_plans_of_one_name_are_told_apart():
    facts = plan_difference(planned(), planned(("compute: 3e21 FLOPs", "compute: 6e21 FLOPs")))
    assert len(set(facts.names)) == 2
    assert facts.names[0].startswith("example/")


@pytest.fixture
def runs():
    plan = small_plan()
    other = plan.model_copy(update={"name": "other"})
    story = Story(other).launch(1, "2026-05-04T08:00:00Z").prepared().train(1, 1, 400).finish()
    return (plan, resumed_run(plan)), (other, story.end(1, "2026-05-04T08:09:00Z").record())


def test_runs_are_compared_by_what_became_of_them(runs):
    facts = run_difference(*runs)
    at = {pair.key: pair for pair in facts.measured}
    assert at["tokens"].changes == ["the same"]
    assert at["wall_time"].changes[0].startswith("−")
    assert (at["energy"].values[0], at["energy"].changes) == (None, [""])
    assert {"loss", "validation_loss"} <= {curves.key for curves in facts.curves}
    assert facts.kind == "runs"
    assert facts.warnings == []


def test_losses_on_other_data_are_warned_of(runs):
    (plan, record), (other, after) = runs
    data = other.data.model_copy(update={"validation_fraction": 0.2})
    facts = run_difference((plan, record), (other.model_copy(update={"data": data}), after))
    assert "not those of the same text" in facts.warnings[0]


@pytest.fixture
def three(runs):
    """The first of them again, under another name and with other tokens a sequence."""
    (plan, record), _ = runs
    wide = plan.model.model_copy(update={"flops_per_token": 2 * plan.model.flops_per_token})
    return *runs, (plan.model_copy(update={"name": "third", "model": wide}), record)


def test_three_runs_stand_side_by_side_each_held_to_the_first(three):
    facts = run_difference(*three)
    assert facts.names == [three[0][0].name, "other", "third"]
    at = {row.key: row for row in facts.measured}
    assert [len(at["tokens"].values), len(at["tokens"].changes)] == [3, 2]
    assert at["loss"].changes[1] == "the same"
    assert all(len(curves.series) == 3 for curves in facts.curves)
    (table,) = [table for table in difference_tables(facts) if table.key == "measured"]
    assert [column.label for column in table.columns] == ["Quantity", *facts.names]


def test_loss_curves_are_drawn_over_tokens_and_over_each_run_s_own_flops(three):
    charts = {chart.key: chart for chart in difference_charts(run_difference(*three))}
    assert {"both-loss-tokens", "both-loss-flops", "both-tokens_per_s-tokens"} <= charts.keys()
    rows = charts["both-loss-flops"].spec["data"]["values"]
    ends = {row["run"]: row["flops"] for row in rows}
    assert ends["third"] == pytest.approx(2 * ends[three[0][0].name])
    assert "third ends at" in charts["both-loss-flops"].alternative


def test_a_curve_that_one_run_lacks_is_not_drawn_for_any(runs):
    facts = run_difference(*runs, (runs[0][0], RunRecord(events=[])))
    assert facts.curves == []
    assert any(None in row.values for row in facts.measured)


def test_more_runs_than_colours_are_told_apart_by_dashes_too(runs):
    plan, record = runs[0]
    many = [(plan.model_copy(update={"name": f"run-{i}"}), record) for i in range(8)]
    encoding = difference_charts(run_difference(*many))[0].spec["encoding"]
    looks = zip(encoding["color"]["scale"]["range"], map(str, encoding["strokeDash"]["scale"]["range"]), strict=True)
    assert len(set(looks)) == 8


def test_every_table_is_whole_and_the_facts_are_json(runs):
    for facts in (plan_difference(planned(), planned()), run_difference(*runs)):
        for table in difference_tables(facts):
            assert table.lines
        json.dumps(facts.plain(), allow_nan=False)
