"""Charts of a plan's cost: layouts by time and memory to spare, and what moves days and dollars."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sixnd.reports.charts import ROW_PX, ChartSpec, spec_of
from sixnd.reports.documents import Ends, Figure, Option
from sixnd.reports.format import FORMATS, time_unit
from sixnd.reports.plan_documents import PlanFacts

if TYPE_CHECKING:
    import altair

_KINDS = {
    "Chosen": ("var(--c2)", "diamond"),
    "Unbeaten": ("var(--c3)", "square"),
    "Considered": ("var(--c1)", "circle"),
}
_ORDER = {"Considered": 0, "Unbeaten": 1, "Chosen": 2}
"""In which marks are drawn: the chosen layout is never hidden."""
_WIDE, _NARROW = 18, 7
"""Heights of a bar, pixels: over an input's interval, and over 10 % of it."""
_ONE = {"days": "day", "h": "hour", "min": "minute", "s": "second", "ms": "millisecond"}
_RANGES = {"80 % interval": "var(--band)", "± 10 %": "var(--c1)"}


def layouts_chart(facts: PlanFacts) -> ChartSpec | None:
    """Time against memory to spare of layouts that were costed, those that none beats joined by a line.

    None where there is but one.
    """
    import altair as alt

    front = {option.layout for option in facts.pareto}
    costed = [*facts.pareto, *(option for option in facts.options if option.layout not in front)]
    every = [_layout_row(option, option.layout in front) for option in costed if option.step_time and option.memory]
    if len(every) < 2:
        return None
    spare = all("headroom" in row for row in every)
    rows = sorted(_near_enough(every) if spare else every, key=lambda row: _ORDER[row["kind"]])
    lacking = spare and min(row["headroom"] for row in rows) < 0
    field, title = ("headroom:Q", "Memory to spare, GB") if spare else ("memory:Q", "Memory, GB")
    y = alt.Y(field, title=title, scale=alt.Scale(zero=False, padding=16))
    x = alt.X("time:Q", title="Step time, s", scale=alt.Scale(zero=False, padding=24), axis=alt.Axis(tickCount=5))
    base = alt.Chart(alt.Data(values=rows))
    kinds = [kind for kind in _KINDS if any(row["kind"] == kind for row in rows)]
    colours, shapes = (alt.Scale(domain=kinds, range=[_KINDS[kind][i] for kind in kinds]) for i in (0, 1))
    dots = base.mark_point(size=100, filled=True, opacity=0.95).encode(
        x=x,
        y=y,
        color=alt.Color("kind:N", scale=colours),
        shape=alt.Shape("kind:N", scale=shapes),
        tooltip=[alt.Tooltip(f"{name}:N", title=title) for name, title in _TIPS.items()],
    )
    layers = [*_front_line(base, x, y), *(_full_rule() if lacking else []), dots]
    chosen = next((option for option in costed if option.chosen), costed[0])
    told = "; ".join(f"{row['layout']}: {row['time_text']}, {row['memory_text']}" for row in rows)
    caption = _layouts_caption(facts, chosen, spare) + _far_caption(every, rows)
    return ChartSpec("layouts", caption, f"{told}.", spec_of(alt.layer(*layers)))


_TIPS = {
    "layout": "Layout",
    "time_text": "Step time",
    "wall_text": "Wall time",
    "money_text": "Cost",
    "memory_text": "Memory",
    "spare_text": "To spare",
    "why": "Why not",
}


def _layout_row(option: Option, unbeaten: bool) -> dict[str, Any]:
    assert option.step_time is not None, "it was costed"
    assert option.memory is not None, "it was costed"
    row = {
        "layout": option.layout,
        "time": option.step_time.value,
        "memory": (option.memory.value or 0.0) / 1e9,
        "kind": "Chosen" if option.chosen else "Unbeaten" if unbeaten else "Considered",
        "front": unbeaten,
        "time_text": option.step_time.text,
        "wall_text": _or_dash(option.wall_time),
        "money_text": _or_dash(option.money),
        "memory_text": option.memory.text,
        "spare_text": _or_dash(option.headroom),
        "why": option.why_not or "–",
    }
    return row if option.headroom is None else row | {"headroom": (option.headroom.value or 0.0) / 1e9}


def _near_enough(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what lacks so much memory that it would squash the rest."""
    most = max(row["headroom"] for row in rows)
    return [row for row in rows if row["headroom"] >= -most]


def _far_caption(every: list[dict[str, Any]], drawn: list[dict[str, Any]]) -> str:
    far = [
        f"{row['layout']} ({row['time_text']}, lacks {-row['headroom']:,.0f} GB)" for row in every if row not in drawn
    ]
    return f" Too far below to be drawn: {'; '.join(far)}." if far else ""


def _or_dash(figure: Figure | None) -> str:
    return "–" if figure is None else figure.text


def _front_line(base: "altair.Chart", x: "altair.X", y: "altair.Y") -> "list[altair.Chart]":
    """Steps: between two members nothing is both as fast as the one and as lean as the other."""
    line = base.transform_filter("datum.front").mark_line(interpolate="step-after", strokeWidth=1.2, color="var(--c3)")
    return [line.encode(x=x, y=y)]


def _full_rule() -> "list[altair.Chart]":
    import altair as alt

    chart = alt.Chart(alt.Data(values=[{"headroom": 0.0, "text": "below: does not fit"}]))
    label = chart.mark_text(align="right", dx=-6, dy=9, fill="var(--muted)")
    return [
        chart.mark_rule(color="var(--muted)", strokeDash=[5, 4]).encode(y="headroom:Q"),
        label.encode(x=alt.value("width"), y="headroom:Q", text="text:N"),
    ]


def _layouts_caption(facts: PlanFacts, chosen: Option, spare: bool) -> str:
    if not spare or len(facts.pareto) < 2:
        return "Layouts that were costed: step time against memory."
    rate = ""
    if chosen.wall_time and chosen.money and chosen.wall_time.value and chosen.money.value:
        scale, unit = time_unit(chosen.wall_time.value)
        per = FORMATS["money"](chosen.money.value / chosen.wall_time.value * scale)
        rate = f" Every {_ONE[unit]} of wall time costs {per}, so the fastest is the cheapest."
    return (
        "Layouts that were costed: step time against memory to spare on the fullest rank. No layout is both faster and "
        f"leaner than one on the line.{rate}"
    )


def sensitivity_charts(facts: PlanFacts) -> list[ChartSpec]:
    """Days and dollars between the ends of each input's ranges, the input that moves dollars furthest on top."""
    charts = [
        _tornado(facts, "money", "Cost", lambda ends: (ends.money_at_low, ends.money_at_high)),
        _tornado(facts, "wall_time", "Wall time", lambda ends: (ends.wall_time_at_low, ends.wall_time_at_high)),
    ]
    return [chart for chart in charts if chart is not None]


def _tornado(
    facts: PlanFacts, key: str, title: str, ends_of: Callable[[Ends], tuple[Figure, Figure]]
) -> ChartSpec | None:
    import altair as alt

    planned = facts.number(key).figure
    if not facts.sensitivities or not planned.value:
        return None
    scale, unit = (1.0, "USD") if key == "money" else time_unit(planned.value)
    rows = [
        _bar(row.what, name, ends, *ends_of(ends), scale)
        for row in facts.sensitivities
        for name, ends in (("80 % interval", row.interval), ("± 10 %", row.tenth))
        if ends is not None
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("low:Q", title=f"{title}, {unit}", scale=alt.Scale(zero=False), axis=_axis(key)),
        x2="high:Q",
        y=alt.Y("input:N", title=None, sort=None, axis=alt.Axis(labelLimit=110)),
        color=alt.Color("range:N", scale=alt.Scale(domain=list(_RANGES), range=list(_RANGES.values()))),
        tooltip=[
            alt.Tooltip("input:N", title="Input"),
            alt.Tooltip("at_low:N", title="Low"),
            alt.Tooltip("at_high:N", title="High"),
        ],
    )
    here = alt.Chart(alt.Data(values=[{"planned": planned.value / scale}]))
    layers = [
        base.transform_filter("datum.range === '80 % interval'").mark_bar(height=_WIDE),
        base.transform_filter("datum.range === '± 10 %'").mark_bar(height=_NARROW),
        here.mark_rule(color="var(--ink)", strokeWidth=1.2).encode(x="planned:Q"),
    ]
    told = "; ".join(f"{r['input']} ({r['range']}): {r['at_low']}, {r['at_high']}" for r in rows)
    return ChartSpec(
        f"sensitivity-{key.replace('_', '-')}",
        f"{title} over each input's 80 % interval and at 10 % less and more of it, all else as planned "
        f"({planned.text}, the line).",
        f"{told}.",
        spec_of(alt.layer(*layers), (ROW_PX + 4) * len(facts.sensitivities)),
    )


def _bar(what: str, name: str, ends: Ends, at_low: Figure, at_high: Figure, scale: float) -> dict[str, Any]:
    low, high = sorted(((at_low.value or 0.0) / scale, (at_high.value or 0.0) / scale))
    return {
        "input": what,
        "range": name,
        "low": low,
        "high": high,
        "at_low": f"{ends.input_at_low.text}: {at_low.text}",
        "at_high": f"{ends.input_at_high.text}: {at_high.text}",
    }


def _axis(key: str) -> "altair.Axis":
    import altair as alt

    money = "replace(format(datum.value, '$~s'), 'G', 'B')"
    return alt.Axis(tickCount=5, labelExpr=money) if key == "money" else alt.Axis(tickCount=5)
