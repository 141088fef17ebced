"""The chart of ``published_proof``: errors of the largest runs' predicted losses, with their 95 % intervals."""

from typing import Any

from sixnd.reports import law_picture
from sixnd.reports.charts import require_altair, spec_of
from tests.benchmarks.published_fit import SHARES, Proof

_ROW_PX, _WIDTH_PX = 21, 620
_EDGE = 30.0
"""Percent; intervals beyond are drawn to the edge."""
_COLOURS = ["var(--c1)", "var(--c2)", "var(--c3)", "var(--c4)"]


def chart(found: list[Proof]) -> str:
    """SVG on white: a row for each counted series at the headline split, its prediction over the actual loss."""
    require_altair()
    import altair as alt
    import vl_convert

    rows = [_row(one) for one in found if one.share == SHARES[0]]
    base = alt.Chart(alt.Data(values=rows))
    axis = alt.Axis(labelExpr="(datum.value > 0 ? '+' : '') + datum.value + ' %'", orient="top", labelOverlap=False)
    x = alt.X(
        "error:Q", title="Predicted over actual loss, less one", scale=alt.Scale(domain=[-_EDGE, _EDGE]), axis=axis
    )
    names = alt.Axis(labelLimit=420, title=None, ticks=False, grid=True)
    y = alt.Y("series:N", sort=[row["series"] for row in rows], axis=names)
    colour = alt.Color("dataset:N", scale=alt.Scale(range=_COLOURS), sort=None, legend=alt.Legend(orient="bottom"))
    shape = alt.Shape("inside:N", scale=alt.Scale(domain=[True, False], range=["circle", "cross"]), legend=None)
    layers = [
        alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(color="var(--ink)").encode(x="zero:Q"),
        base.mark_rule(strokeWidth=5, opacity=0.3).encode(x="low:Q", x2="high:Q", y=y, color=colour),
        base.mark_point(filled=True, size=70, opacity=1).encode(x=x, y=y, color=colour, shape=shape),
    ]
    spec = spec_of(alt.layer(*layers), _ROW_PX * len(rows)) | {"width": _WIDTH_PX, "padding": 16}
    spec["config"] = dict(spec["config"], background="white", autosize={"type": "pad"})
    return str(vl_convert.vegalite_to_svg(law_picture._with_light_colours(spec)))


def _row(one: Proof) -> dict[str, Any]:
    target = one.target
    ends = target.intervals[0.95]
    low, high = (100 * (end / target.actual - 1) for end in (ends.low, ends.high))
    return {
        "series": f"{one.series.dataset}: {one.series.name}",
        "dataset": one.series.dataset,
        "error": max(-_EDGE, min(_EDGE, 100 * target.error)),
        "low": max(-_EDGE, low),
        "high": min(_EDGE, high),
        "inside": target.inside(0.95),
    }
