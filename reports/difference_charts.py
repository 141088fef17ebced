"""The curves of several runs in one chart each: losses against tokens and against FLOPs, speed against tokens."""

from typing import TYPE_CHECKING, Any

from sixnd.reports.charts import ChartSpec, si_axis, spec_of
from sixnd.reports.difference_documents import Curves, Difference

if TYPE_CHECKING:
    import altair

_COLOURS = [f"var(--c{i})" for i in range(1, 7)]
_DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]]
_OVER_FLOPS = ("loss", "validation_loss")
_HEIGHT_PX = 300


def difference_charts(facts: Difference) -> list[ChartSpec]:
    """Of every quantity that all runs have a curve of."""
    return [_chart(facts, curves, over) for curves in facts.curves for over in _abscissas(curves)]


def _abscissas(curves: Curves) -> tuple[str, ...]:
    return ("tokens", "flops") if curves.key in _OVER_FLOPS else ("tokens",)


def _chart(facts: Difference, curves: Curves, over: str) -> ChartSpec:
    import altair as alt

    title = f"{curves.label}, {curves.unit}" if curves.unit else curves.label
    chart = (
        alt.Chart(alt.Data(values=_rows(facts, curves)))
        .mark_line(strokeWidth=1.4)
        .encode(
            x=_x(over),
            y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)),
            tooltip=_tips(),
            **_told_apart(facts.names),
        )
    )
    ends = [f"{name} ends at {_end(series.values)}" for name, series in zip(facts.names, curves.series, strict=True)]
    against = "tokens" if over == "tokens" else "training FLOPs, counted exactly"
    return ChartSpec(
        f"both-{curves.key}-{over}",
        f"{curves.label} against {against}.",
        f"{curves.label} against {against}: {'; '.join(ends)}.",
        spec_of(chart, _HEIGHT_PX),
    )


def _rows(facts: Difference, curves: Curves) -> list[dict[str, Any]]:
    return [
        {"run": name, "tokens": tokens, "flops": tokens * each, "step": step, "value": value}
        for name, each, series in zip(facts.names, facts.flops_per_token, curves.series, strict=True)
        for tokens, step, value in zip(series.tokens, series.steps, series.values, strict=True)
    ]


def _x(over: str) -> "altair.X":
    import altair as alt

    label = "datum.value === 0 ? '0' : replace(format(datum.value, '.2~e'), '+', '')"
    axis = si_axis() if over == "tokens" else alt.Axis(labelExpr=label, tickCount=5)
    title = "Tokens" if over == "tokens" else "Training FLOPs"
    return alt.X(f"{over}:Q", title=title, axis=axis, scale=alt.Scale(nice=False))


def _told_apart(names: list[str]) -> dict[str, Any]:
    """A colour a run; where there are more runs than colours, dashes too."""
    import altair as alt

    colours = [_COLOURS[i % len(_COLOURS)] for i in range(len(names))]
    legend = alt.Legend(columns=2, labelLimit=240, symbolType="stroke", symbolStrokeWidth=3)
    shown: dict[str, Any] = {"color": alt.Color("run:N", scale=alt.Scale(domain=names, range=colours), legend=legend)}
    if len(names) > len(_COLOURS):
        dashes = [_DASHES[i // len(_COLOURS) % len(_DASHES)] for i in range(len(names))]
        shown["strokeDash"] = alt.StrokeDash("run:N", scale=alt.Scale(domain=names, range=dashes), legend=legend)
    return shown


def _tips() -> "list[altair.Tooltip]":
    import altair as alt

    formats = {"step": ",", "tokens": ",", "flops": ".3e", "value": ".4f"}
    shown = [alt.Tooltip(f"{field}:Q", title=field.capitalize(), format=how) for field, how in formats.items()]
    return [alt.Tooltip("run:N", title="Run"), *shown]


def _end(values: list[float | None]) -> str:
    return "no number" if not values or values[-1] is None else f"{values[-1]:.4g}"
