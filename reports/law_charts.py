"""The charts of a fitted law as Vega-Lite specs; one without data is left out."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sixnd.reports.charts import ChartSpec, require_altair, spec_of
from sixnd.reports.format import flops
from sixnd.reports.law_axes import compute_axis, count_scale, loss_ticks, padded
from sixnd.reports.law_documents import LawFacts, OptimalLine, OptimalPoint
from sixnd.reports.law_isoflops import isoflop_chart
from sixnd.reports.law_run_charts import (
    left_out_chart,
    residual_chart,
    run_marks,
    run_rows,
    run_tips,
    thinned_caption,
    with_runs,
)

if TYPE_CHECKING:
    import altair

_HEIGHT_PX = 360
_DRAWN_LAWS = ("besiroglu-2024", "hoffmann-2022", "deepseek-2024", "kaplan-2020-allocation")
"""Published laws that lie apart on a logarithmic chart; the table has more."""
_COLOURS = {
    "This law": "var(--c1)",
    "Approach 2": "var(--c2)",
    "Approach 1": "var(--muted)",
    **dict(zip(_DRAWN_LAWS, ("var(--c3)", "var(--c4)", "var(--c5)", "var(--c6)"), strict=True)),
}
_NAME_WIDTH, _NAME_HEIGHT = 0.19, 0.045
"""Of a model's name, as shares of a chart half as wide as the page."""


def law_charts(facts: LawFacts) -> list[ChartSpec]:
    """IsoFLOP parabolas, N*, D* and loss against compute, residuals, and leave-one-out."""
    require_altair()
    charts = [
        isoflop_chart(facts),
        _frontier(facts, "params", "N*", "N*, parameters", lambda point: point.params),
        _frontier(facts, "tokens", "D*", "D*, tokens", lambda point: point.tokens),
        _loss(facts),
        residual_chart(facts),
        left_out_chart(facts),
    ]
    return [chart for chart in charts if chart is not None]


def _frontier(
    facts: LawFacts, field: str, symbol: str, title: str, value: Callable[[OptimalPoint], float]
) -> ChartSpec | None:
    import altair as alt

    own = facts.lines[0]
    if len(own.points) < 2:
        return None
    lines = [(_drawn_as(line), line) for line in facts.lines if _drawn_as(line) in _COLOURS]
    rows = [_spread(point, value(point), field) | {"by": name} for name, line in lines for point in _with_largest(line)]
    models = _models(facts, field)
    every = [row[key] for row in rows for key in ("value", "low", "high")] + [row["value"] for row in models]
    scale, axis = count_scale(every)
    x = compute_axis(own.points[0].compute_flops, own.points[-1].compute_flops)
    y = alt.Y("value:Q", title=title, scale=scale, axis=axis)
    names = [name for name, _ in lines]
    colours = alt.Scale(domain=names, range=[_COLOURS[name] for name in names])
    legend = alt.Legend(columns=2, symbolType="stroke", symbolStrokeWidth=3)
    layers = [
        _run_range(facts),
        *_band([_spread(point, value(point), field) for point in own.points], x, scale),
        *(
            _curve([row for row in rows if row["by"] == name], line.kind, facts).encode(
                x=x, y=y, color=alt.Color("by:N", scale=colours, legend=legend)
            )
            for name, line in reversed(lines)
        ),
        *_vertices(facts, field, x, y),
        *_model_marks(models, x, y, own.points[0].compute_flops, every),
    ]
    bounds = value(own.points[0]), value(own.points[-1])
    told = f"{symbol} rises from {bounds[0]:.3g} at {flops(own.points[0].compute_flops)} FLOPs to {bounds[1]:.3g} at "
    return ChartSpec(
        f"frontier-{field}",
        f"{symbol} against compute{_band_caption(facts)}{_vertex_caption(facts)} Shaded: the compute of the runs; "
        f"beyond it the law is extrapolated and dotted. Dashed: published laws."
        f"{' Diamonds: published models.' if models else ''}",
        f"{told}{flops(own.points[-1].compute_flops)} FLOPs; exponent of N* {own.exponent.full}.",
        spec_of(alt.layer(*layers), _HEIGHT_PX),
    )


def _with_largest(line: OptimalLine) -> list[OptimalPoint]:
    """The points of a line and that of the largest run, where this law's line turns from solid to dotted."""
    return sorted([*line.points, line.at_largest], key=lambda point: point.compute_flops)


def _drawn_as(line: OptimalLine) -> str:
    return "This law" if line.kind == "this law" else line.label


def _spread(point: OptimalPoint, value: float, field: str) -> dict[str, Any]:
    ends = {"params": point.params_interval, "tokens": point.tokens_interval, "loss": point.loss_interval}[field]
    low, high = ends or (value, value)
    return {"C": point.compute_flops, "value": value, "low": low, "high": high, "known": ends is not None}


def _run_range(facts: LawFacts) -> "altair.Chart":
    import altair as alt

    low, high = facts.fitted_compute
    chart = alt.Chart(alt.Data(values=[{"low": low, "high": high}]))
    return chart.mark_rect(color="var(--c3)", opacity=0.12).encode(x=alt.X("low:Q"), x2="high:Q")


def _band(rows: list[dict[str, Any]], x: "altair.X", scale: "altair.Scale") -> "list[altair.Chart]":
    import altair as alt

    if not all(row["known"] for row in rows):
        return []
    chart = alt.Chart(alt.Data(values=rows)).mark_area(color="var(--c1)", opacity=0.22)
    return [chart.encode(x=x, y=alt.Y("low:Q", scale=scale), y2="high:Q")]


def _curve(rows: list[dict[str, Any]], kind: str, facts: LawFacts) -> "altair.Chart":
    """A line; this law's is dotted beyond the runs."""
    import altair as alt

    if kind != "this law":
        dash = [6, 4] if kind == "published" else [1, 0]
        return alt.Chart(alt.Data(values=rows)).mark_line(strokeWidth=1.4, strokeDash=dash)
    largest = facts.fitted_compute[1]
    inside = max(i for i, row in enumerate(rows) if row["C"] <= largest or i == 0)
    split = [row | {"part": "inside"} for row in rows[: inside + 1]]
    split += [row | {"part": "beyond"} for row in rows[inside:]]
    dashes = alt.StrokeDash("part:N", scale=alt.Scale(domain=["inside", "beyond"], range=[[1, 0], [2, 3]]), legend=None)
    return alt.Chart(alt.Data(values=split)).mark_line(strokeWidth=2.6).encode(strokeDash=dashes)


def _vertices(facts: LawFacts, field: str, x: "altair.X", y: "altair.Y") -> "list[altair.Chart]":
    import altair as alt

    rows = [
        {
            "C": curve.compute_flops,
            "value": curve.params if field == "params" else curve.compute_flops / 6 / curve.params,
            "what": f"lowest point of the {len(curve.runs)} runs at {flops(curve.compute_flops)} FLOPs",
        }
        for curve in facts.isoflops
        if not curve.left_out
    ]
    chart = alt.Chart(alt.Data(values=rows)).mark_point(
        size=44, filled=True, opacity=1, color="var(--ink)", stroke="var(--paper)", strokeWidth=1
    )
    return [chart.encode(x=x, y=y, tooltip=["what:N", alt.Tooltip("value:Q", format=".3s")])] if rows else []


def _models(facts: LawFacts, field: str) -> list[dict[str, Any]]:
    return [
        {
            "C": model.compute_flops,
            "value": model.params if field == "params" else model.tokens,
            "name": model.name,
            "source": model.source,
        }
        for model in facts.published_models
    ]


def _model_marks(
    models: list[dict[str, Any]], x: "altair.X", y: "altair.Y", start: float, every: list[float]
) -> "list[altair.Chart]":
    """Diamonds, with a name to the left of those that have room for one."""
    import altair as alt

    if not models:
        return []
    chart = alt.Chart(alt.Data(values=models)).encode(x=x, y=y)
    marks = chart.mark_point(size=46, shape="diamond", filled=True, opacity=0.9, color="var(--muted)")
    named = alt.Chart(alt.Data(values=_with_room(models, start, every))).encode(x=x, y=y)
    place: dict[str, Any] = {"align": "right", "dx": -7, "fontSize": 10}
    return [
        marks.encode(tooltip=["name:N", alt.Tooltip("value:Q", format=".4s"), "source:N"]),
        named.mark_text(**place, stroke="var(--paper)", strokeWidth=3, opacity=0.8).encode(text="name:N"),
        named.mark_text(**place, fill="var(--muted)").encode(text="name:N"),
    ]


def _with_room(models: list[dict[str, Any]], start: float, every: list[float]) -> list[dict[str, Any]]:
    """Models whose names, set to the left of their points, cover no other point or name."""
    wide = math.log(max(row["C"] for row in models) / start)
    high = math.log(max(every) / min(every))
    points = [(math.log(row["C"] / start) / wide, math.log(row["value"] / min(every)) / high) for row in models]
    named: list[int] = []
    for i, point in enumerate(points):
        others = points[:i] + points[i + 1 :] + [(points[k][0] - _NAME_WIDTH, points[k][1]) for k in named]
        if not any(_covered(other, point) for other in others):
            named.append(i)
    return [models[i] for i in named]


def _covered(other: tuple[float, float], point: tuple[float, float]) -> bool:
    """Whether the name to the left of ``point`` would lie on ``other``; both as shares of the chart."""
    left = point[0] - other[0]
    return -0.01 < left < 1.3 * _NAME_WIDTH and abs(other[1] - point[1]) < _NAME_HEIGHT


def _band_caption(facts: LawFacts) -> str:
    known = facts.lines[0].points[0].params_interval is not None
    return ", with this law's 95 % band." if known else "; too few runs for a band."


def _vertex_caption(facts: LawFacts) -> str:
    return " Dots: lowest points of the parabolas." if any(not curve.left_out for curve in facts.isoflops) else ""


def _loss(facts: LawFacts) -> ChartSpec | None:
    import altair as alt

    points = [point for point in facts.lines[0].points if point.loss is not None]
    if len(points) < 2:
        return None
    rows = [_spread(point, point.loss or 0.0, "loss") for point in points]
    runs = run_rows(facts)
    every = [row[key] for row in rows for key in ("low", "high")] + [row["loss"] for row in runs]
    scale = alt.Scale(type="log", nice=False, domain=list(padded(every)))
    y = alt.Y("value:Q", title="Loss, nats per token", scale=scale, axis=alt.Axis(values=loss_ticks(every)))
    x = compute_axis(points[0].compute_flops, points[-1].compute_flops)
    line = _curve(
        [_spread(point, point.loss or 0.0, "loss") for point in _with_largest(facts.lines[0])], "this law", facts
    )
    marks = run_marks().mark_point(size=18, filled=True, opacity=0.55, color="var(--muted)")
    layers = [
        _run_range(facts),
        *_band(rows, x, scale),
        marks.encode(x=x, y=alt.Y("loss:Q", title="Loss, nats per token", scale=scale), tooltip=run_tips()),
        line.encode(x=x, y=y, color=alt.value("var(--c1)")),
    ]
    low, high = rows[0], rows[-1]
    return ChartSpec(
        "frontier-loss",
        f"The lowest loss of each budget by this law{_band_caption(facts)} Dots: the runs; those above the curve have "
        f"more or fewer tokens per parameter than is best.{thinned_caption(facts)}",
        f"From {low['value']:.3f} nats at {flops(low['C'])} FLOPs to {high['value']:.3f} at {flops(high['C'])} FLOPs.",
        with_runs(spec_of(alt.layer(*layers), _HEIGHT_PX), runs),
    )
