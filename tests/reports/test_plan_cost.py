"""What a plan's report says of cost, and that older plans have less of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.reports.cost_charts import layouts_chart, sensitivity_charts
from sixnd.reports.pipeline_chart import nice_step, pipeline_chart
from sixnd.reports.plan_charts import plan_charts
from sixnd.reports.plan_facts import plan_facts
from sixnd.reports.plan_tables import plan_tables
from sixnd.specs.plan import Estimate, PlannedPipeline
from tests.reports.build import big_plan, costed_plan, small_plan


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


def _rows(plan):
    return {row.what: row for row in plan_facts(plan).sensitivities}


def test_mfu_and_hfu_tell_both_conventions_of_counting_attention():
    rows = {number.key: number for number in plan_facts(costed_plan(big_plan())).key_numbers}
    assert list(rows).index("hfu") == list(rows).index("mfu") + 1
    assert rows["mfu"].reason.endswith("46.1 % with the whole score matrix counted")
    assert rows["hfu"].figure.value > rows["mfu"].figure.value
    assert rows["hfu"].reason.endswith("55.3 % with the whole score matrix counted")


def test_an_input_is_told_with_its_interval_and_both_ends_of_the_run():
    rows = _rows(costed_plan(big_plan()))
    assert rows["Price"].planned.full == "$2.95 ($2.66–$3.84)"
    assert (rows["Price"].wall_time, rows["Price"].money) == ("unchanged", "$384 → $554")
    assert rows["MFU"].wall_time == "2.82 → 1.88 h"
    assert rows["MFU"].tenth_text == "+11.1 / −9.1 %"
    assert rows["Restart in"].planned.interval == "3.15–16.8 min"


def test_an_input_without_an_interval_has_only_its_tenth():
    row = _rows(costed_plan(big_plan()))["Goodput"]
    assert (row.interval, row.wall_time, row.money) == (None, "", "")
    assert row.tenth.input_at_low.text == "81 %"


def test_where_nothing_is_paid_changes_are_those_of_the_days_and_no_cost_is_shown():
    plan = costed_plan(small_plan())
    free = plan.estimates.money_usd.model_copy(update={"value": 0.0, "low": 0.0, "high": 0.0})
    nothing = {"money_at_low_usd": 0.0, "money_at_high_usd": 0.0}
    rows = [
        row.model_copy(
            update={
                "tenth": row.tenth.model_copy(update=nothing),
                "interval": row.interval and row.interval.model_copy(update=nothing),
            }
        )
        for row in plan.sensitivities
    ]
    front = [option.model_copy(update={"money_usd": 0.0}) for option in plan.pareto]
    estimates = plan.estimates.model_copy(update={"money_usd": free})
    facts = plan_facts(plan.model_copy(update={"sensitivities": rows, "estimates": estimates, "pareto": front}))
    tables = {table.key: table for table in plan_tables(facts)}
    assert facts.sensitivities[0].tenth_text == "+11.1 / −9.1 %"
    for key in ("sensitivity", "pareto"):
        assert "Cost" not in [column.label for column in tables[key].columns]
    assert [chart.key for chart in sensitivity_charts(facts)] == ["sensitivity-wall-time"]


def test_layouts_that_none_beats_are_told_with_the_run_s_time_money_and_memory_to_spare():
    facts = plan_facts(costed_plan(big_plan()))
    first = facts.pareto[0]
    assert first.chosen
    assert (first.wall_time.text, first.money.text, first.headroom.text) == ("2.26 h", "$426", "26.8 GB")


def test_a_layout_that_lacks_so_much_memory_that_it_would_squash_the_chart_is_told_instead_of_drawn():
    plan = costed_plan(big_plan())
    far = plan.options[3].model_copy(update={"headroom_bytes": -813e9})
    chart = layouts_chart(plan_facts(plan.model_copy(update={"options": [*plan.options[:3], far]})))
    drawn = [row["layout"] for row in chart.spec["layer"][-1]["data"]["values"]]
    assert "TP1 PP1 DP64 MBS8" in drawn  # lacks 2.8 GB
    assert len(drawn) == 3
    assert "Too far below to be drawn: TP1 PP2 DP32 MBS2 (713 ms, lacks 813 GB)." in chart.caption


def test_one_layout_alone_needs_no_chart_and_no_front():
    plan = costed_plan(big_plan())
    facts = plan_facts(plan.model_copy(update={"options": plan.options[:1], "pareto": plan.pareto[:1]}))
    assert layouts_chart(facts) is None
    assert "pareto" not in {table.key for table in plan_tables(facts)}


def test_a_plan_without_them_has_none_of_these_tables_and_charts():
    facts = plan_facts(big_plan())
    assert not {"pareto", "sensitivity", "pipeline"} & {table.key for table in plan_tables(facts)}
    assert {chart.key for chart in plan_charts(facts)} == {
        "law",
        "laws-chart",
        "layouts",
        "memory-chart",
        "time-chart",
    }


def test_every_part_of_a_breakdown_is_shown_once_and_the_parts_add_up():
    plan = costed_plan(big_plan())
    time = plan.estimates.time.model_copy(update={"context_parallel": 0.1, "expert_parallel": 0.2})
    parts = plan_facts(plan.model_copy(update={"estimates": plan.estimates.model_copy(update={"time": time})})).time
    labels = [part.label for part in parts]
    assert {"Context parallelism", "Expert parallelism"} <= set(labels)
    assert len(labels) == len(set(labels))
    assert sum(part.figure.value for part in parts) == pytest.approx(sum(time.plain().values()))
    assert "Between data centres" not in labels


def _drawn(pipeline):
    plan = costed_plan(big_plan()).model_copy(update={"pipeline": pipeline})
    chart = pipeline_chart(plan_facts(plan))
    layers = chart.spec["layer"]
    return chart, [layer["data"]["values"] for layer in layers]


def _pipeline(stages=4, micro_batches=8, chunks=1):
    return PlannedPipeline(
        forward_s=[0.1] * stages,
        backward_s=[0.2] * stages,
        micro_batches=micro_batches,
        chunks=chunks,
        basis="by hand",
    )


def test_a_short_schedule_is_drawn_whole_with_the_numbers_of_its_micro_batches():
    chart, layers = _drawn(_pipeline())
    boxes = layers[1]
    assert len(boxes) == 2 * 4 * 8
    assert {box["n"] for box in boxes} == set(range(1, 9))
    assert chart.spec["layer"][2]["encoding"]["text"]["field"] == "n"
    assert "Left out" not in chart.caption
    assert "Stages idle 27.3 % of this schedule" in chart.caption  # 3/11, Narayanan et al. 2021


def test_a_long_schedule_has_a_visible_break_and_ticks_that_tell_the_step_s_time():
    chart, layers = _drawn(_pipeline(micro_batches=64))
    edges, text = layers[-2], layers[-1]
    assert len(edges) == 2
    assert text[0]["text"] == "⋯ 54 more ⋯"
    assert "Left out of the steady part: about 54 of 64." in chart.caption
    between = [box for box in layers[1] if edges[0]["from"] < box["to"] and box["from"] < edges[1]["from"]]
    assert not [box for box in between if box["to"] > edges[0]["from"] + 1e-6]
    last = max(layers[1], key=lambda box: box["to"])
    assert last["n"] == 64
    assert last["at"] == "19.9 s"  # 64 × 0.3 + 3 × 0.3 = 20.1 s, less its own 0.2 s
    axis = chart.spec["layer"][0]["encoding"]["x"]["axis"]
    assert max(axis["values"]) < last["to"] + 1e-6


def test_of_many_stages_and_passes_some_are_drawn_and_the_caption_says_so():
    chart, layers = _drawn(_pipeline(64, 128, 8))
    drawn = {box["stage"] for box in layers[1]}
    assert {1, 64} <= drawn
    assert len(layers[1]) <= 6_000
    assert f"{len(drawn)} of 64 stages are drawn" in chart.caption
    assert {"chunk"} <= layers[1][0].keys()


@given(st.floats(1e-6, 1e6))
def test_steps_of_an_axis_are_round_and_not_smaller_than_asked(least):
    step = nice_step(least)
    assert least * (1 - 1e-9) <= step <= 2.5 * least * (1 + 1e-9)
    assert f"{step:.12e}".rstrip("0")[0] in "125"
