"""Charts as Vega-Lite specs, built through altair: what all have in common, and those of a run.

Colours are CSS variables, so that one spec serves the light theme, the dark one and print.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sixnd.reports.documents import Figure, Series
from sixnd.reports.run_documents import RunFacts
from sixnd.specs.errors import SixndError

if TYPE_CHECKING:
    import altair

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
_HEIGHT_PX = 260
ROW_PX = 30
_ZOOM = {
    "name": "zoom",
    "bind": "scales",
    "select": {"type": "interval", "encodings": ["x"], "zoom": "wheel![event.ctrlKey || event.metaKey]"},
}


@dataclass(frozen=True)
class ChartSpec:
    """A chart: its Vega-Lite spec, its caption, and a text that says what it shows."""

    key: str
    caption: str
    alternative: str
    spec: dict[str, Any]


def run_charts(facts: RunFacts) -> list[ChartSpec]:
    """The curves of a run and its data mix; a chart without a point is left out."""
    require_altair()
    charts = [
        _losses(facts),
        *(_curve(facts.curve_of(key)) for key in ("grad_norm", "learning_rate", "tokens_per_s")),
        _mix(facts),
    ]
    return [chart for chart in charts if chart is not None]


def require_altair() -> None:
    """Raise ``SixndError`` with the command that installs what charts need, if it is missing."""
    try:
        import altair  # noqa: F401
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise SixndError(f"an HTML report needs {error.name}; install it with: pip install 'sixnd[report]'") from error


def spec_of(chart: "altair.TopLevelMixin", height: int = _HEIGHT_PX) -> dict[str, Any]:
    """The Vega-Lite spec of a chart as wide as its place in the page, which a reader can zoom along its x axis."""
    spec: dict[str, Any] = chart.properties(width="container", height=height).configure(**_config()).to_dict()
    return _zoomed(spec)


def _zoomed(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec with its x scale bound to dragging, and to the wheel with Ctrl or ⌘: without, the wheel moves the page.

    Written by hand, since altair numbers what it binds, and a report would be another one each time it is made.
    """
    units = spec.get("layer", [spec])
    at = next((i for i, unit in enumerate(units) if _is_continuous(unit.get("encoding", {}).get("x", {}))), None)
    if at is None:
        return spec
    made = units[at] | {"params": [_ZOOM]}
    return spec | {"layer": [*units[:at], made, *units[at + 1 :]]} if "layer" in spec else made


def _is_continuous(x: dict[str, Any]) -> bool:
    return "field" in x and x.get("type") == "quantitative"


def _config() -> dict[str, Any]:
    axis = {
        "domainColor": "var(--rule)",
        "gridColor": "var(--grid)",
        "tickColor": "var(--rule)",
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "titleFontWeight": "normal",
        "labelFont": _FONT,
        "titleFont": _FONT,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "labelOverlap": True,
    }
    legend = {"labelColor": "var(--ink)", "labelFont": _FONT, "labelFontSize": 12, "orient": "top", "title": None}
    return {
        "background": "transparent",
        "font": _FONT,
        "axis": axis,
        "legend": legend,
        "view": {"stroke": None},
        "range": {"category": ["var(--c1)", "var(--c2)", "var(--c3)", "var(--c4)"]},
        "text": {"color": "var(--ink)", "fontSize": 11},
        "autosize": {"type": "fit-x", "contains": "padding"},
    }


def _points(series: Series, name: str) -> list[dict[str, Any]]:
    return [
        {"tokens": tokens, "step": step, "value": value, "curve": name}
        for tokens, step, value in zip(series.tokens, series.steps, series.values, strict=True)
    ]


def _losses(facts: RunFacts) -> ChartSpec | None:
    import altair as alt

    training, validation = facts.curve_of("loss"), facts.curve_of("validation_loss")
    if not training.tokens:
        return None
    x = alt.X("tokens:Q", title="Tokens", axis=si_axis(), scale=alt.Scale(nice=False))
    colour = alt.Color("curve:N", scale=alt.Scale(domain=["Training", "Validation"]))
    y = alt.Y("value:Q", title="Loss, nats per token", scale=alt.Scale(zero=False))
    tips = [alt.Tooltip("step:Q", format=","), alt.Tooltip("value:Q", format=".4f"), "curve:N"]
    lines = alt.Chart(alt.Data(values=_points(training, "Training"))).mark_line(strokeWidth=1.2)
    marks = alt.Chart(alt.Data(values=_points(validation, "Validation"))).mark_line(strokeWidth=2, point={"size": 36})
    planned, seen = facts.plan.number("loss").figure, _fits(facts)
    layers = [
        *(_expected_band(planned) if seen else []),
        lines.encode(x=x, y=y, color=colour, tooltip=tips),
        marks.encode(x=x, y=y, color=colour, tooltip=tips),
        *_unigram_rule(facts),
    ]
    band = (
        "No law predicts the final loss of a run that starts from a trained model"
        if planned.value is None
        else "The band is the predicted final loss with its 80 % interval"
        if seen
        else f"The predicted final loss, {planned.full}, lies too far from the curves to be drawn with them"
    )
    dashed = "; the dashed line is a unigram model of the same tokens." if facts.baseline else "."
    return ChartSpec(
        "losses",
        f"Training and validation loss against tokens. {band}{dashed}",
        f"{_told(training)} {_told(validation)} Predicted final loss: {planned.full}.",
        spec_of(alt.layer(*layers), 340),
    )


def _fits(facts: RunFacts) -> bool:
    """Whether the predicted interval can be drawn without squashing the curves to less than a third of the chart."""
    planned = facts.plan.number("loss").figure
    values = [v for key in ("loss", "validation_loss") for v in facts.curve_of(key).values if v is not None]
    values += [facts.baseline.unigram.value] if facts.baseline and facts.baseline.unigram.value is not None else []
    if not values or planned.value is None:
        return False
    low, high = planned.low or planned.value, planned.high or planned.value
    span = max(values) - min(values)
    return low >= min(values) - span and high <= max(values) + span


def _expected_band(planned: Figure) -> "list[altair.Chart]":
    import altair as alt

    row = {"low": planned.low, "high": planned.high, "value": planned.value, "text": "predicted final loss"}
    chart = alt.Chart(alt.Data(values=[row]))
    return [
        chart.mark_rect(color="var(--c3)", opacity=0.22).encode(y=alt.Y("low:Q"), y2="high:Q"),
        chart.mark_rule(color="var(--c3)").encode(y="value:Q"),
        _label_at_right(chart),
    ]


def _unigram_rule(facts: RunFacts) -> "list[altair.Chart]":
    import altair as alt

    if facts.baseline is None:
        return []
    chart = alt.Chart(alt.Data(values=[{"value": facts.baseline.unigram.value, "text": "unigram model"}]))
    return [chart.mark_rule(color="var(--muted)", strokeDash=[5, 4]).encode(y="value:Q"), _label_at_right(chart)]


def _label_at_right(chart: "altair.Chart") -> "altair.Chart":
    import altair as alt

    mark = chart.mark_text(align="right", dx=-6, dy=-7, fill="var(--muted)")
    return mark.encode(x=alt.value("width"), y="value:Q", text="text:N")


def si_axis() -> "altair.Axis":
    """Ticks as people write counts: 0, 500k, 1.5B (d3 would write 0M and 1.5G)."""
    import altair as alt

    expression = "datum.value === 0 ? '0' : replace(format(datum.value, '~s'), 'G', 'B')"
    return alt.Axis(labelExpr=expression, tickCount=5)


def _curve(series: Series) -> ChartSpec | None:
    import altair as alt

    if not series.tokens:
        return None
    title = f"{series.label}, {series.unit}" if series.unit else series.label
    chart = (
        alt.Chart(alt.Data(values=_points(series, series.label)))
        .mark_line(strokeWidth=1.2, color="var(--c1)")
        .encode(
            x=alt.X("tokens:Q", title="Tokens", axis=si_axis(), scale=alt.Scale(nice=False)),
            y=alt.Y("value:Q", title=None, axis=_value_axis(series)),
            tooltip=[alt.Tooltip("step:Q", format=","), alt.Tooltip("value:Q", format=".4~g")],
        )
    )
    return ChartSpec(series.key, f"{title}, against tokens.", _told(series), spec_of(chart, 200))


def _value_axis(series: Series) -> "altair.Axis":
    import altair as alt

    return si_axis() if series.key == "tokens_per_s" else alt.Axis(labelExpr="format(datum.value, '.3~g')", tickCount=5)


def _mix(facts: RunFacts) -> ChartSpec | None:
    import altair as alt

    if not any(source.realised for source in facts.sources):
        return None
    rows = [
        {"source": source.name, "share": figure.value, "kind": kind}
        for source in facts.sources
        for kind, figure in (("Planned", source.planned), ("Realised", source.realised))
        if figure is not None
    ]
    kinds = alt.Scale(domain=["Planned", "Realised"])
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar()
        .encode(
            x=alt.X("share:Q", title="Share of sequences", axis=alt.Axis(format="%", tickCount=5)),
            y=alt.Y("source:N", title=None, sort=None, axis=alt.Axis(labelLimit=130)),
            yOffset=alt.YOffset("kind:N", scale=kinds),
            color=alt.Color("kind:N", scale=kinds),
            tooltip=["source:N", "kind:N", alt.Tooltip("share:Q", format=".2%")],
        )
    )
    told = "; ".join(f"{s.name}: planned {s.planned.text}, realised {_or_none(s.realised)}" for s in facts.sources)
    return ChartSpec(
        "mix", "Data mix, planned and realised.", f"{told}.", spec_of(chart, 2 * ROW_PX * len(facts.sources))
    )


def _told(series: Series) -> str:
    """A curve in words: where it starts and ends, and its extremes."""
    finite = [value for value in series.values if value is not None]
    if not finite:
        return f"{series.label}: not measured."
    first, last, low, high = finite[0], finite[-1], min(finite), max(finite)
    broken = series.values.count(None)
    tail = f"; {broken} points are not finite" if broken else ""
    write: Callable[[float], str] = lambda value: f"{value:.4g}"  # noqa: E731
    span = f"from {write(first)} to {write(last)} (lowest {write(low)}, highest {write(high)})"
    return f"{series.label} over {series.recorded:,} measurements: {span}{tail}."


def _or_none(figure: Figure | None) -> str:
    return "not measured" if figure is None else figure.text
