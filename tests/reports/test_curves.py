"""Curves of a run: what is far off is cut at the frame and told, never moved."""

import json
import math
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sixnd.reports.charts import ChartSpec
from sixnd.reports.curves import curve, frame_of
from sixnd.reports.documents import Series
from sixnd.reports.facts import run_facts
from sixnd.reports.run_charts import run_charts
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord
from tests.reports import build


def series(values: list[float | None], key: str = "grad_norm") -> Series:
    steps = list(range(1, len(values) + 1))
    tokens = [step * 100 for step in steps]
    return Series(key=key, label="Curve", unit="", steps=steps, tokens=tokens, values=values, recorded=len(values))


def drawn(chart: ChartSpec | None) -> list[dict[str, Any]]:
    """All rows of all layers."""
    assert chart is not None
    return [row for layer in chart.spec["layer"] for row in layer.get("data", {}).get("values", [])]


def _wavy(count: int = 300) -> list[float | None]:
    return [1 + 0.1 * math.sin(i) for i in range(count)]


def test_a_value_far_outside_is_cut_at_the_frame_and_marked_with_its_own_number() -> None:
    values = _wavy()
    values[100], values[200] = 5_000.0, -80.0
    chart = curve(series(values), [])
    rows = drawn(chart)
    assert chart is not None
    assert [row["value"] for row in rows if "value" in row] == values  # none was changed
    marks = {row["side"]: row["told"] for row in rows if "side" in row}
    assert marks == {"above": "5000", "below": "-80"}
    assert "1 drawn point above the frame, the highest 5000" in chart.caption
    line = next(layer for layer in chart.spec["layer"] if layer["mark"]["type"] == "line")
    assert line["mark"]["clip"]
    assert line["encoding"]["y"]["scale"]["domain"][1] < 3


def test_a_spike_that_fits_is_drawn_whole() -> None:
    values = _wavy()
    values[100] = 1.6
    chart = curve(series(values), [])
    assert not any("side" in row for row in drawn(chart))
    assert frame_of(series(values)).told == ""


def test_a_value_that_is_no_number_is_marked_and_told() -> None:
    values = _wavy()
    values[7] = None
    chart = curve(series(values), [])
    (mark,) = [row for row in drawn(chart) if "side" in row]
    assert (mark["side"], mark["step"], mark["told"]) == ("broken", 8, "not finite")
    assert chart is not None
    assert "1 drawn point not finite (✕)" in chart.caption


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=60))
def test_every_value_is_inside_the_frame_or_counted_as_outside(values: list[float]) -> None:
    frame = frame_of(series(list(values)))
    outside = [value for value in values if not frame.holds(value)]
    assert bool(outside) == bool(frame.told)
    assert frame.low is not None
    assert frame.high is not None
    assert frame.low <= float(np.median(values)) <= frame.high or len(outside) < len(values)


def test_where_the_law_extrapolates_is_shaded_and_told(small_plan: Plan, resumed: RunRecord) -> None:
    facts = run_facts(small_plan, resumed)
    assert facts.law_range is not None
    assert facts.law_range.extrapolates
    losses = next(chart for chart in run_charts(facts) if chart.key == "losses")
    assert "All of it is shaded" in losses.caption
    shaded = [row for row in drawn(losses) if "from" in row]
    assert [(row["from"], row["to"]) for row in shaded] == [(0.0, float(small_plan.data.tokens))]


def test_a_run_within_the_law_s_range_says_so(big_plan: Plan) -> None:
    story = build.Story(big_plan).launch(1, "2026-05-04T08:00:00Z").train(1, 1, 40)
    facts = run_facts(big_plan, story.record())
    assert facts.law_range is not None
    assert not facts.law_range.extrapolates


def test_the_chart_of_the_time_has_a_bar_for_each_part_that_was_measured(small_plan: Plan, resumed: RunRecord) -> None:
    facts = run_facts(small_plan, resumed)
    chart = next(chart for chart in run_charts(facts) if chart.key == "time-chart")
    rows = chart.spec["data"]["values"]
    assert [row["part"] for row in rows] == [
        "Steps that count",
        "Steps done again",
        "Writing checkpoints",
        "Not told apart",
    ]
    assert sum(row["share"] for row in rows) == 1 or math.isclose(sum(row["share"] for row in rows), 1)
    json.dumps(chart.spec, allow_nan=False)
