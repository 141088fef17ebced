"""The charts of a plan as Vega-Lite specs; one without data is left out."""

from typing import TYPE_CHECKING

from sixnd.reports.charts import ROW_PX, ChartSpec, require_altair, spec_of
from sixnd.reports.cost_charts import layouts_chart, sensitivity_charts
from sixnd.reports.documents import Part
from sixnd.reports.laws_chart import laws_chart
from sixnd.reports.pipeline_chart import pipeline_chart
from sixnd.reports.plan_documents import PlanFacts

if TYPE_CHECKING:
    import altair


def plan_charts(facts: PlanFacts) -> list[ChartSpec]:
    """The plan on its law's curve, layouts, sensitivities, memory and step time by component, and the pipeline."""
    require_altair()
    charts = [
        _law(facts),
        laws_chart(facts),
        layouts_chart(facts),
        *sensitivity_charts(facts),
        _breakdown("memory", "Memory of the fullest rank by component", facts.memory, 1e9, "GB"),
        _breakdown("time", "Time of one step by component", facts.time, 1.0, "s"),
        pipeline_chart(facts),
    ]
    return [chart for chart in charts if chart is not None]


def _breakdown(key: str, caption: str, parts: list[Part], scale: float, unit: str) -> ChartSpec:
    import altair as alt

    rows = [{"part": p.label, "value": (p.figure.value or 0.0) / scale, "text": p.figure.text} for p in parts]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("value:Q", title=unit, axis=alt.Axis(tickCount=5)),
        y=alt.Y("part:N", title=None, sort=None, axis=alt.Axis(labelLimit=130)),
        tooltip=["part:N", "text:N"],
    )
    told = "; ".join(f"{part.label} {part.figure.text} ({part.share})" for part in parts)
    return ChartSpec(
        f"{key}-chart", f"{caption}.", f"{told}.", spec_of(base.mark_bar(color="var(--c1)"), ROW_PX * len(parts))
    )


def _law(facts: PlanFacts) -> ChartSpec | None:
    import altair as alt

    curve, loss = facts.curve, facts.number("loss").figure
    if not curve.points or loss.value is None:
        return None
    line = alt.Chart(alt.Data(values=[{"C": p.compute_flops, "loss": p.loss} for p in curve.points]))
    here = alt.Chart(
        alt.Data(
            values=[
                {
                    "C": curve.planned_flops,
                    "loss": loss.value,
                    "low": loss.low,
                    "high": loss.high,
                    "what": f"this plan: {loss.full}",
                }
            ]
        )
    )
    tips = [alt.Tooltip("C:Q", title="C, FLOPs", format=".2e"), alt.Tooltip("loss:Q", title="Loss", format=".3f")]
    fitted = alt.Chart(alt.Data(values=[{"low": curve.fitted_low_flops, "high": curve.fitted_high_flops}]))
    x = alt.X("C:Q", title="Compute C, FLOPs", scale=alt.Scale(type="log", nice=False), axis=_log_axis())
    y = alt.Y("loss:Q", title="Loss, nats per token", scale=alt.Scale(zero=False))
    layers = [
        fitted.mark_rect(color="var(--c3)", opacity=0.15).encode(x=alt.X("low:Q"), x2="high:Q"),
        line.mark_line(strokeWidth=1.6, color="var(--c1)").encode(x=x, y=y, tooltip=tips),
        here.mark_rule(color="var(--c2)", strokeWidth=2).encode(x=x, y=alt.Y("low:Q"), y2="high:Q"),
        here.mark_point(size=110, filled=True, opacity=1, shape="diamond", color="var(--c2)").encode(
            x=x, y=y, tooltip=["what:N"]
        ),
    ]
    return ChartSpec(
        "law",
        f"Loss against compute under {curve.law} where N and D are optimal. The diamond is this plan with its 80 % "
        "interval; the shaded range is where the law was fitted.",
        f"The plan stands at {facts.number('compute').figure.text} with a predicted loss of {loss.full}.",
        spec_of(alt.layer(*layers)),
    )


def _log_axis() -> "altair.Axis":
    import altair as alt

    return alt.Axis(format=".0e", tickCount=6, grid=False)
