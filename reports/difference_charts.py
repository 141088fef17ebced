"""The curves of two runs in one chart each."""

from typing import Any

from sixnd.reports.charts import ChartSpec, si_axis, spec_of
from sixnd.reports.difference_documents import Curves, Difference


def difference_charts(facts: Difference) -> list[ChartSpec]:
    """One chart for each quantity that both runs have a curve of."""
    return [_chart(facts, curves) for curves in facts.curves]


def _chart(facts: Difference, curves: Curves) -> ChartSpec:
    import altair as alt

    rows: list[dict[str, Any]] = [
        {"run": name, "tokens": tokens, "step": step, "value": value}
        for name, series in ((facts.first, curves.first), (facts.second, curves.second))
        for tokens, step, value in zip(series.tokens, series.steps, series.values, strict=True)
    ]
    title = f"{curves.label}, {curves.unit}" if curves.unit else curves.label
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(strokeWidth=1.4)
        .encode(
            x=alt.X("tokens:Q", title="Tokens", axis=si_axis(), scale=alt.Scale(nice=False)),
            y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)),
            color=alt.Color("run:N", scale=alt.Scale(domain=[facts.first, facts.second])),
            tooltip=["run:N", alt.Tooltip("step:Q", format=","), alt.Tooltip("value:Q", format=".4f")],
        )
    )
    ends = [series.values[-1] for series in (curves.first, curves.second)]
    told = "; ".join(
        f"{name} ends at {'no number' if end is None else f'{end:.4g}'}"
        for name, end in zip((facts.first, facts.second), ends, strict=True)
    )
    return ChartSpec(f"both-{curves.key}", f"{curves.label} of both.", f"{curves.label}: {told}.", spec_of(chart))
