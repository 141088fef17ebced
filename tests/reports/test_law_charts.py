"""The charts of fitted laws: which are drawn, that they compile, and what they show of many runs."""

import struct

import numpy as np
import pytest
import vl_convert

from sixnd.reports import law_picture
from sixnd.reports.charts import ChartSpec
from sixnd.reports.law_charts import law_charts
from sixnd.reports.law_facts import law_facts
from sixnd.reports.law_picture import law_png
from sixnd.reports.law_run_charts import thinned
from tests.reports import law_build

_ALWAYS = ["frontier-params", "frontier-tokens", "frontier-loss", "residuals-chart", "left-out"]


@pytest.fixture(scope="module")
def charts() -> dict[str, ChartSpec]:
    return {chart.key: chart for chart in law_charts(law_facts(law_build.law()))}


def test_every_chart_compiles_and_draws_marks(charts: dict[str, ChartSpec]) -> None:
    assert list(charts) == ["isoflops", *_ALWAYS]
    for chart in charts.values():
        drawn = vl_convert.vegalite_to_svg(chart.spec | {"width": 480})
        assert drawn.count("<path") > 20, chart.key
        assert "NaN" not in drawn, chart.key
        assert chart.alternative
        assert chart.caption.endswith(".")


def test_a_law_without_budgets_or_draws_leaves_out_what_it_has_not() -> None:
    charts = {chart.key: chart for chart in law_charts(law_facts(law_build.bare_law()))}
    assert list(charts) == _ALWAYS
    assert "too few runs for a band" in charts["frontier-params"].caption
    for chart in charts.values():
        assert "area" not in str(chart.spec["layer"])
        assert "NaN" not in vl_convert.vegalite_to_svg(chart.spec | {"width": 480}), chart.key


def test_the_frontier_shows_this_law_s_band_its_approach_and_published_laws(charts: dict[str, ChartSpec]) -> None:
    drawn = str(charts["frontier-params"].spec)
    assert "'type': 'area'" in drawn
    for name in (
        "This law",
        "Approach 2",
        "hoffmann-2022",
        "besiroglu-2024",
        "deepseek-2024",
        "kaplan-2020-allocation",
    ):
        assert f"'by': '{name}'" in drawn
    assert "llama-1-7b" in drawn  # its 4.2e22 FLOPs lie on the frontier
    assert "llama-3.1-405b" not in drawn  # its 3.8e25 do not


def test_a_parabola_is_drawn_no_farther_than_its_runs(charts: dict[str, ChartSpec]) -> None:
    facts = law_facts(law_build.law())
    curves = charts["isoflops"].spec["layer"][0]["data"]["values"]
    for budget in facts.isoflops:
        sizes = [facts.runs[place].params for place in budget.runs]
        drawn = [row["N"] for row in curves if row["C"] == budget.compute_flops]
        assert (min(drawn), max(drawn)) == pytest.approx((min(sizes), max(sizes)))


def test_the_law_s_own_curve_on_a_budget_is_its_surface(charts: dict[str, ChartSpec]) -> None:
    curves = charts["isoflops"].spec["layer"][0]["data"]["values"]
    for row in (row for row in curves if row["curve"] == "Law"):
        assert row["loss"] == pytest.approx(law_build.loss(row["N"], row["C"] / 6 / row["N"]))


def test_of_thousands_of_runs_the_worst_are_drawn_and_the_others_fairly() -> None:
    facts = law_facts(law_build.large_law())
    kept = thinned(facts.runs)
    assert len(kept) <= 2000
    assert max(facts.runs, key=lambda run: abs(run.residual)) in kept
    every, drawn = (np.median([abs(run.residual) for run in runs]) for runs in (facts.runs, kept))
    assert drawn == pytest.approx(every, rel=0.15)
    caption = next(chart.caption for chart in law_charts(facts) if chart.key == "residuals-chart")
    assert f"{len(kept):,} of the 6,000 runs are drawn" in caption


def test_the_picture_is_a_png_wide_enough_to_read_and_needs_no_style_sheet(charts: dict[str, ChartSpec]) -> None:
    picture = law_png(law_build.law())
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", picture[16:24])
    assert 1500 <= width <= 1700
    assert height > 1200
    assert "var(--" not in str(law_picture._with_light_colours(law_picture._arranged(list(charts.values()), "title")))
