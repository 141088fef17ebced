"""The charts of a run: its losses, its other curves, its data mix, and where its time went."""

from typing import TYPE_CHECKING, Any

from sixnd.reports.charts import ROW_PX, ChartSpec, require_altair, spec_of
from sixnd.reports.curves import Frame, alarm_rules, curve, edge_marks, frame_of, points, tokens_axis, told
from sixnd.reports.documents import Figure
from sixnd.reports.run_documents import LawRange, RunFacts

if TYPE_CHECKING:
    import altair

_CURVES = ("grad_norm", "learning_rate", "tokens_per_s", "mfu")
_DOTS = 60
"""Measurements that are drawn as points beside their line; more would be a thick line."""
_PART_COLOURS = {
    "counts": "var(--c3)",
    "evaluations": "var(--c1)",
    "repeated": "var(--c2)",
    "unapplied": "var(--c6)",
    "checkpoints": "var(--c5)",
    "start_up": "var(--c4)",
    "hung": "var(--bad)",
    "samples": "var(--band)",
    "rest": "var(--rule)",
}


def run_charts(facts: RunFacts) -> list[ChartSpec]:
    """The curves of a run, its data mix and its time; a chart without a point is left out."""
    require_altair()
    curves = [curve(facts.curve_of(key), facts.alarm_marks) for key in _CURVES]
    charts = [_losses(facts), *curves, _mix(facts), _time(facts)]
    return [chart for chart in charts if chart is not None]


def _losses(facts: RunFacts) -> ChartSpec | None:
    import altair as alt

    training, validation = facts.curve_of("loss"), facts.curve_of("validation_loss")
    if not training.tokens:
        return None
    frame, planned = frame_of(training, validation), facts.plan.number("loss").figure
    seen = _fits(facts, frame)
    x = tokens_axis(facts.law_range.all_tokens if facts.law_range else None)
    colour = alt.Color("curve:N", scale=alt.Scale(domain=["Training", "Validation"]))
    y = alt.Y("value:Q", title="Loss, nats per token", scale=frame.scale(zero=False))
    tips = [alt.Tooltip("step:Q", format=","), alt.Tooltip("value:Q", format=".4f"), "curve:N"]
    lines = alt.Chart(alt.Data(values=points(training, "Training"))).mark_line(strokeWidth=1.2, clip=True)
    marks = alt.Chart(alt.Data(values=points(validation, "Validation")))
    few = len(validation.steps) <= _DOTS
    dots = marks.mark_line(strokeWidth=2, point={"size": 36} if few else False, clip=True)
    layers = [
        *(_beyond_the_law(facts.law_range) if facts.law_range else []),
        *(_expected_band(planned) if seen else []),
        *alarm_rules(facts.alarm_marks, training),
        lines.encode(x=x, y=y, color=colour, tooltip=tips),
        dots.encode(x=x, y=y, color=colour, tooltip=tips),
        *edge_marks(frame, training, validation),
        *_unigram_rule(facts, frame),
    ]
    return ChartSpec(
        "losses",
        " ".join(part for part in _loss_caption(facts, frame, seen) if part),
        f"{told(training)} {told(validation)} Predicted final loss: {planned.full}.",
        spec_of(alt.layer(*layers), 340),
    )


def _loss_caption(facts: RunFacts, frame: Frame, seen: bool) -> list[str]:
    planned = facts.plan.number("loss").figure
    if planned.value is None:
        band = "No law predicts the final loss of a run that starts from a trained model"
    elif seen:
        band = "The band is the predicted final loss with its 80 % interval"
    else:
        band = f"The predicted final loss, {planned.full}, lies too far from the curves to be drawn with them"
    dashed = "; the dashed line is a unigram model of the same tokens." if facts.baseline else "."
    beyond = _beyond_told(facts.law_range) if facts.law_range else ""
    alarms = "Thin upright lines are alarms of single steps." if facts.alarm_marks else ""
    return [f"Training and validation loss against tokens. {band}{dashed}", beyond, alarms, frame.told]


def _fits(facts: RunFacts, frame: Frame) -> bool:
    """Whether the predicted interval can be drawn without squashing the curves to less than a third of the chart."""
    planned = facts.plan.number("loss").figure
    if planned.value is None or frame.low is None or frame.high is None:
        return False
    unigram = facts.baseline.unigram.value if facts.baseline else None
    ends = [frame.low, frame.high, *([] if unigram is None else [unigram])]
    low, high, span = planned.low or planned.value, planned.high or planned.value, max(ends) - min(ends)
    return low >= min(ends) - span and high <= max(ends) + span


def _beyond_the_law(law: LawRange) -> "list[altair.Chart]":
    import altair as alt

    rows = [
        {"from": 0.0, "to": min(law.low_tokens, law.all_tokens), "x": 0.0},
        {"from": min(law.high_tokens, law.all_tokens), "to": law.all_tokens, "x": law.all_tokens},
    ]
    chart = alt.Chart(alt.Data(values=[row for row in rows if row["from"] < row["to"]]))
    return [
        chart.mark_rect(color="var(--muted)", opacity=0.1).encode(x=alt.X("from:Q", title="Tokens"), x2="to:Q"),
    ]


def _beyond_told(law: LawRange) -> str:
    if law.all_tokens < law.low_tokens:
        return (
            "All of it is shaded: even with its last token a model of this size has had less compute than the law was "
            "fitted on, so its prediction is an extrapolation."
        )
    if law.extrapolates:
        return "Shaded: where the compute of a model of this size, 6 N D, lies outside what the law was fitted on."
    return "Shaded: compute below what the law was fitted on; the end of the run lies within it."


def _expected_band(planned: Figure) -> "list[altair.Chart]":
    import altair as alt

    row = {"low": planned.low, "high": planned.high, "value": planned.value, "text": "predicted final loss"}
    chart = alt.Chart(alt.Data(values=[row]))
    return [
        chart.mark_rect(color="var(--c3)", opacity=0.22).encode(y=alt.Y("low:Q"), y2="high:Q"),
        chart.mark_rule(color="var(--c3)").encode(y="value:Q"),
        _label_at_right(chart),
    ]


def _unigram_rule(facts: RunFacts, frame: Frame) -> "list[altair.Chart]":
    import altair as alt

    if facts.baseline is None or not frame.holds(facts.baseline.unigram.value):
        return []
    chart = alt.Chart(alt.Data(values=[{"value": facts.baseline.unigram.value, "text": "unigram model"}]))
    return [chart.mark_rule(color="var(--muted)", strokeDash=[5, 4]).encode(y="value:Q"), _label_at_right(chart)]


def _label_at_right(chart: "altair.Chart") -> "altair.Chart":
    import altair as alt

    mark = chart.mark_text(align="right", dx=-6, dy=-7, fill="var(--muted)")
    return mark.encode(x=alt.value("width"), y="value:Q", text="text:N")


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
    words = "; ".join(f"{s.name}: planned {s.planned.text}, realised {_or_none(s.realised)}" for s in facts.sources)
    return ChartSpec(
        "mix", "Data mix, planned and realised.", f"{words}.", spec_of(chart, 2 * ROW_PX * len(facts.sources))
    )


def _time(facts: RunFacts) -> ChartSpec | None:
    """One bar as long as the wall time, cut into what it went into."""
    import altair as alt

    time = facts.time
    if time is None or time.goodput is None:
        return None
    rows: list[dict[str, Any]] = [
        {"part": part.label, "seconds": part.figure.value, "text": part.figure.text, "share": part.share.value, "i": i}
        for i, part in enumerate(time.parts)
        if part.figure is not None and part.share is not None and (part.figure.value or 0.0) > 0
    ]
    shown = {part.label: _PART_COLOURS[part.key] for part in time.parts}
    names = [row["part"] for row in rows]
    scale = alt.Scale(domain=names, range=[shown[name] for name in names])
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar(stroke="var(--paper)", strokeWidth=1)
        .encode(
            x=alt.X("share:Q", title="Share of the wall time", axis=alt.Axis(format="%", tickCount=5)),
            color=alt.Color("part:N", scale=scale, legend=alt.Legend(columns=2, labelLimit=150)),
            order=alt.Order("i:Q"),
            tooltip=["part:N", "text:N", alt.Tooltip("share:Q", format=".1%")],
        )
    )
    words = ", ".join(f"{row['part'].lower()} {row['text']}" for row in rows)
    caption = f"Where the {time.wall.text} of wall time went; goodput {time.goodput.text}."
    return ChartSpec("time-chart", caption, f"{caption} {words}.", spec_of(chart, 44))


def _or_none(figure: Figure | None) -> str:
    return "not measured" if figure is None else figure.text
