"""The charts of a fitted law as Vega-Lite specs; one without data is left out."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sixnd.reports.charts import ChartSpec, require_altair, spec_of
from sixnd.reports.decimate import POINT_LIMIT, keep
from sixnd.reports.format import flops, percent
from sixnd.reports.law_axes import compute_axis, count_scale, log_ticks, padded
from sixnd.reports.law_documents import LawFacts, OptimalLine, OptimalPoint, RunPoint
from sixnd.reports.law_isoflops import isoflop_chart
from sixnd.reports.law_tables import signed_percent

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
_SIGNED = "datum.value === 0 ? '0' : format(datum.value, '+~g')"
_NAMED_OUTLIERS = 6
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
        _residuals(facts),
        _left_out(facts),
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
    rows = [_spread(point, value(point), field) | {"by": name} for name, line in lines for point in line.points]
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
        *_band([row for row in rows if row["by"] == "This law"], x, scale),
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
    end = max(row["C"] for row in models)
    wide, high = math.log(end / start), math.log(max(every) / min(every))
    places = [(math.log(row["C"] / start) / wide, math.log(row["value"] / min(every)) / high) for row in models]
    named: list[int] = []
    for i, (right, middle) in enumerate(places):
        taken = [places[k] for k in range(len(places)) if k != i] + [
            (places[k][0] - _NAME_WIDTH, places[k][1]) for k in named
        ]
        if not any(right - 1.3 * _NAME_WIDTH < a < right + 0.01 and abs(b - middle) < _NAME_HEIGHT for a, b in taken):
            named.append(i)
    return [models[i] for i in named]


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
    runs = thinned(facts.runs)
    dots = [_dot(run) | {"value": run.loss} for run in runs]
    every = [row[key] for row in rows for key in ("low", "high")] + [row["value"] for row in dots]
    scale = alt.Scale(type="log", nice=False, domain=list(padded(every)))
    y = alt.Y("value:Q", title="Loss, nats per token", scale=scale, axis=alt.Axis(values=_loss_ticks(every)))
    x = compute_axis(points[0].compute_flops, points[-1].compute_flops)
    line = _curve([row | {"by": "this law"} for row in rows], "this law", facts)
    marks = alt.Chart(alt.Data(values=dots)).mark_point(size=18, filled=True, opacity=0.55, color="var(--muted)")
    layers = [
        _run_range(facts),
        *_band(rows, x, scale),
        marks.encode(x=x, y=y, tooltip=_run_tips()),
        line.encode(x=x, y=y, color=alt.value("var(--c1)")),
    ]
    low, high = rows[0], rows[-1]
    return ChartSpec(
        "frontier-loss",
        f"The lowest loss of each budget by this law{_band_caption(facts)} Dots: the runs; those above the curve have "
        f"more or fewer tokens per parameter than is best.{_thinned_caption(facts)}",
        f"From {low['value']:.3f} nats at {flops(low['C'])} FLOPs to {high['value']:.3f} at {flops(high['C'])} FLOPs.",
        spec_of(alt.layer(*layers), _HEIGHT_PX),
    )


def _loss_ticks(values: list[float]) -> list[float]:
    """Round losses: halves or tenths by the range, denser below as a logarithmic axis is."""
    low, high = padded(values)
    step = next((step for step in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0) if (high - low) / step <= 9), 5.0)
    return [round(step * i, 6) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def thinned(runs: list[RunPoint]) -> list[RunPoint]:
    """The runs by compute; of more than a chart can show, those that keep its extremes."""
    ordered = sorted(runs, key=lambda run: run.compute_flops)
    return [ordered[place] for place in keep([run.residual for run in ordered])]


def _thinned_caption(facts: LawFacts) -> str:
    total = len(facts.runs)
    return f" {len(thinned(facts.runs)):,} of {total:,} runs are drawn." if total > POINT_LIMIT else ""


def _dot(run: RunPoint) -> dict[str, Any]:
    return {
        "C": run.compute_flops,
        "run": run.row,
        "N": run.params,
        "D": run.tokens,
        "loss": run.loss,
        "residual": 100 * run.residual,
        "left_out": run.left_out,
        "left_out_error": 100 * run.left_out_error,
        "kind": "Outlier" if run.outlier else "Run",
    }


def _run_tips() -> "list[Any]":
    import altair as alt

    return [
        "run:N",
        alt.Tooltip("N:Q", format=".3s"),
        alt.Tooltip("D:Q", format=".3s"),
        alt.Tooltip("loss:Q", format=".4f"),
        alt.Tooltip("residual:Q", title="residual, %", format="+.2f"),
        alt.Tooltip("left_out_error:Q", title="left out, %", format="+.2f"),
    ]


def _residuals(facts: LawFacts) -> ChartSpec:
    import altair as alt

    rows = [_dot(run) | {"value": 100 * run.residual} for run in thinned(facts.runs)]
    spread = 100 * (facts.residual_sd or 0.0)
    scale, axis, squeezed = _residual_scale([row["value"] for row in rows], spread)
    x = compute_axis(*padded([row["C"] for row in rows]))
    y = alt.Y("value:Q", title="Residual, % of the loss", scale=scale, axis=axis)
    zero = alt.Chart(alt.Data(values=[{"value": 0, "low": -2 * spread, "high": 2 * spread}]))
    layers = [
        zero.mark_rect(color="var(--c3)", opacity=0.16).encode(y=alt.Y("low:Q"), y2="high:Q"),
        zero.mark_rule(color="var(--rule)").encode(y=y),
        _marked(rows).encode(x=x, y=y),
        *_outlier_names(rows, x, y),
    ]
    outliers = [run for run in facts.runs if run.outlier]
    named = "; ".join(f"{run.row} {signed_percent(run.residual)}" for run in outliers[:_NAMED_OUTLIERS])
    told = f"Outliers: {named}" if outliers else "No run is an outlier"
    worst = max(facts.runs, key=lambda run: abs(run.residual))
    return ChartSpec(
        "residuals-chart",
        "What of each loss the law leaves unexplained, against compute. Shaded: two standard deviations either way."
        f"{' The scale is logarithmic beyond them.' if squeezed else ''}{_thinned_caption(facts)}",
        f"{told}. The largest residual is {signed_percent(worst.residual)} at {worst.row}.",
        spec_of(alt.layer(*layers), _HEIGHT_PX),
    )


def _residual_scale(values: list[float], spread: float) -> "tuple[altair.Scale, altair.Axis, bool]":
    """Linear, or symmetric-logarithmic where an outlier would squash all others into a line."""
    import altair as alt

    most = max(abs(value) for value in values)
    squeezed = spread > 0 and most > 8 * spread
    if not squeezed:
        edge = max(most, 2 * spread) * 1.1 or 1.0
        return alt.Scale(domain=[-edge, edge], nice=False), alt.Axis(tickCount=7, labelExpr=_SIGNED), False
    linear = 2 * spread
    ticks = log_ticks(linear, most * 1.3, 6)
    scale = alt.Scale(type="symlog", constant=linear, domain=[min(*values, -linear) * 1.2, max(*values, linear) * 1.2])
    return scale, alt.Axis(values=[-tick for tick in ticks] + [0, *ticks], labelExpr=_SIGNED), True


def _marked(rows: list[dict[str, Any]]) -> "altair.Chart":
    import altair as alt

    kinds = ["Run", "Outlier"] if any(row["kind"] == "Outlier" for row in rows) else ["Run"]
    legend = alt.Legend() if len(kinds) > 1 else None
    colours = alt.Scale(domain=kinds, range=["var(--c1)", "var(--c2)"][: len(kinds)])
    shapes = alt.Scale(domain=kinds, range=["circle", "diamond"][: len(kinds)])
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_point(size=34, filled=True, opacity=0.75)
        .encode(
            color=alt.Color("kind:N", scale=colours, legend=legend),
            shape=alt.Shape("kind:N", scale=shapes, legend=legend),
            tooltip=_run_tips(),
        )
    )


def _outlier_names(rows: list[dict[str, Any]], x: "altair.X", y: "altair.Y") -> "list[altair.Chart]":
    import altair as alt

    outliers = sorted((row for row in rows if row["kind"] == "Outlier"), key=lambda row: -abs(row["value"]))
    if not outliers:
        return []
    middle = math.sqrt(rows[0]["C"] * rows[-1]["C"])
    sides = ([row for row in outliers[:_NAMED_OUTLIERS] if (row["C"] < middle) is left] for left in (True, False))
    return [
        alt.Chart(alt.Data(values=side))
        .mark_text(align=align, dx=dx, fill="var(--muted)", fontSize=10, limit=170)
        .encode(x=x, y=y, text="run:N")
        for side, align, dx in zip(sides, ("left", "right"), (8, -8), strict=True)
        if side
    ]


def _left_out(facts: LawFacts) -> ChartSpec:
    import altair as alt

    rows = [_dot(run) for run in thinned(facts.runs)]
    every = [row[key] for row in rows for key in ("loss", "left_out")]
    low, high = padded(every)
    scale, ticks = alt.Scale(type="log", nice=False, domain=[low, high]), _loss_ticks(every)
    x = alt.X("loss:Q", title="Measured loss, nats per token", scale=scale, axis=alt.Axis(values=ticks, grid=False))
    y = alt.Y("left_out:Q", title="Loss by all other runs", scale=scale, axis=alt.Axis(values=ticks))
    diagonal = alt.Chart(alt.Data(values=[{"loss": end, "left_out": end} for end in (low, high)]))
    layers = [
        diagonal.mark_line(color="var(--rule)", strokeWidth=1.2, clip=True).encode(x=x, y=y),
        _marked(rows).encode(x=x, y=y),
    ]
    error = facts.constant("leave_one_out")
    worst = max(facts.runs, key=lambda run: abs(run.left_out_error))
    return ChartSpec(
        "left-out",
        "Leave-one-out: each run's loss as predicted by a law fitted to all the others, against its measured loss. On "
        f"the line they agree; the median error is {error.figure.text}.{_thinned_caption(facts)}",
        f"Error of a run's loss predicted from the others: {error.figure.text} ({error.reason}). The worst is "
        f"{worst.row}, {percent(abs(worst.left_out_error))}.",
        spec_of(alt.layer(*layers), _HEIGHT_PX),
    )
