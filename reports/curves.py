"""Curves against tokens: their frame, what lies outside of it, and alarms on them.

A value outside of the frame is not moved to its edge: the line is cut there, and a mark at the edge tells the value.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sixnd.reports.charts import ChartSpec, si_axis, spec_of
from sixnd.reports.documents import Series
from sixnd.reports.run_documents import AlarmMark

if TYPE_CHECKING:
    import altair

_QUANTILE = 0.005
"""Shares of a curve's drawn points, at both ends, that do not decide its frame."""
_ROOM = 3.0
"""So many times the height of the others a point may lie above or below them and still be inside the frame."""


@dataclass(frozen=True)
class Frame:
    """The values between which curves are drawn; without ends where nothing is outside, or nothing is known."""

    low: float | None
    high: float | None
    clips: bool
    told: str
    """What is not inside, in a sentence; empty where all is."""

    def scale(self, *, zero: bool) -> "altair.Scale":
        """The scale of the axis of values."""
        import altair as alt

        return alt.Scale(domain=[self.low, self.high], nice=False, zero=False) if self.clips else alt.Scale(zero=zero)

    def holds(self, value: float | None) -> bool:
        """Whether a value would be drawn."""
        if value is None or self.low is None or self.high is None:
            return False
        return not self.clips or self.low <= value <= self.high


def frame_of(*series: Series) -> Frame:
    """A frame that a few values far off do not squash: they are outside of it."""
    values = np.array([v for each in series for v in each.values if v is not None])
    broken = sum(each.values.count(None) for each in series)
    if not values.size:
        return Frame(None, None, False, _told(0, 0, broken, values))
    low, high = (float(end) for end in np.quantile(values, [_QUANTILE, 1 - _QUANTILE]))
    room = _ROOM * (high - low)
    least, most = float(values.min()), float(values.max())
    under, over = least < low - room, most > high + room
    if room == 0.0 or not (under or over):
        return Frame(least, most, False, _told(0, 0, broken, values))
    margin = 0.05 * (high - low)
    bottom, top = (low - margin if under else least), (high + room / 2 if over else most)
    inside = values[(values >= bottom) & (values <= top)]
    bottom, top = min(bottom, float(inside.min())), max(high + margin, float(inside.max()))
    return Frame(bottom, top, True, _told(int((values < bottom).sum()), int((values > top).sum()), broken, values))


def _told(under: int, over: int, broken: int, values: "np.ndarray[Any, np.dtype[np.float64]]") -> str:
    parts = [f"{_points(over)} above the frame, the highest {values.max():.4g} (▲ at its edge)"] if over else []
    parts += [f"{_points(under)} below it, the lowest {values.min():.4g} (▼)"] if under else []
    parts += [f"{_points(broken)} not finite (✕)"] if broken else []
    return f"Not inside: {'; '.join(parts)}." if parts else ""


def _points(count: int) -> str:
    return f"{count:,} drawn {'point' if count == 1 else 'points'}"


def edge_marks(frame: Frame, *series: Series) -> "list[altair.Chart]":
    """Marks at the edges for the values that are outside, each with its value to be read by hovering."""
    import altair as alt

    rows = [
        {"tokens": tokens, "step": step, "told": "not finite" if value is None else f"{value:.6g}", "side": side}
        for each in series
        for tokens, step, value in zip(each.tokens, each.steps, each.values, strict=True)
        if (side := _side(frame, value))
    ]
    shapes = {"above": ("triangle-up", 6), "below": ("triangle-down", -6), "broken": ("cross", 6)}
    marks = []
    for side, (shape, shift) in shapes.items():
        own = [row for row in rows if row["side"] == side]
        if own:
            at = alt.value("height") if side == "below" else alt.value(0)
            mark = alt.Chart(alt.Data(values=own)).mark_point(
                shape=shape, size=70, filled=True, color="var(--bad)", yOffset=shift, opacity=1
            )
            tips = [alt.Tooltip("step:Q", format=","), alt.Tooltip("told:N", title="value")]
            marks.append(mark.encode(x=alt.X("tokens:Q", title="Tokens"), y=at, tooltip=tips))
    return marks


def _side(frame: Frame, value: float | None) -> str:
    if value is None:
        return "broken"
    if not frame.clips or frame.low is None or frame.high is None:
        return ""
    return "above" if value > frame.high else "below" if value < frame.low else ""


def alarm_rules(alarms: list[AlarmMark], along: Series) -> "list[altair.Chart]":
    """A thin upright line at each alarm of a step."""
    import altair as alt

    if not alarms or not along.steps:
        return []
    at = np.interp([alarm.step for alarm in alarms], along.steps, along.tokens)
    rows = [
        {"tokens": float(tokens), "step": a.step, "rule": a.rule, "done": a.done}
        for tokens, a in zip(at, alarms, strict=True)
    ]
    tips = ["rule:N", "done:N", alt.Tooltip("step:Q", format=",")]
    chart = alt.Chart(alt.Data(values=rows)).mark_rule(color="var(--c6)", strokeWidth=1, opacity=0.55)
    return [chart.encode(x=alt.X("tokens:Q", title="Tokens"), tooltip=tips)]


def points(series: Series, name: str) -> list[dict[str, Any]]:
    """A curve's rows."""
    return [
        {"tokens": tokens, "step": step, "value": value, "curve": name}
        for tokens, step, value in zip(series.tokens, series.steps, series.values, strict=True)
    ]


def tokens_axis(last: float | None = None) -> "altair.X":
    """The axis of tokens, to the end of the run where that is asked for."""
    import altair as alt

    scale = alt.Scale(nice=False) if last is None else alt.Scale(nice=False, domainMax=last)
    return alt.X("tokens:Q", title="Tokens", axis=si_axis(), scale=scale)


def curve(series: Series, alarms: list[AlarmMark]) -> ChartSpec | None:
    """One quantity of the run; alarms are marked on what they judge."""
    import altair as alt

    if not series.tokens:
        return None
    frame, title = frame_of(series), f"{series.label}, {series.unit}" if series.unit else series.label
    y = alt.Y("value:Q", title=None, axis=_value_axis(series), scale=frame.scale(zero=True))
    tips = [alt.Tooltip("step:Q", format=","), alt.Tooltip("value:Q", format=".4~g")]
    line = alt.Chart(alt.Data(values=points(series, series.label))).mark_line(
        strokeWidth=1.2, color="var(--c1)", clip=True
    )
    rules = alarm_rules([a for a in alarms if a.rule == "gradient-spike"], series) if series.key == "grad_norm" else []
    layers = [*rules, line.encode(x=tokens_axis(), y=y, tooltip=tips), *edge_marks(frame, series)]
    caption = f"{title}, against tokens. {frame.told}".strip()
    return ChartSpec(series.key, caption, told(series), spec_of(alt.layer(*layers), 200))


def _value_axis(series: Series) -> "altair.Axis":
    import altair as alt

    if series.key == "mfu":
        return alt.Axis(format="~%", tickCount=5)
    return si_axis() if series.key == "tokens_per_s" else alt.Axis(labelExpr="format(datum.value, '.3~g')", tickCount=5)


def told(series: Series) -> str:
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
