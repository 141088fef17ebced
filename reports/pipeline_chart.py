"""The picture of a pipeline's schedule: what each stage does over one step."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sixnd.reports.charts import ChartSpec, spec_of
from sixnd.reports.documents import PipelineFacts
from sixnd.reports.format import duration, percent, time_unit
from sixnd.reports.pipeline import Break, Pass, Schedule, drawn, schedule, some_stages, steady_break
from sixnd.reports.plan_documents import PlanFacts

if TYPE_CHECKING:
    import altair

_COLOURS = {"Forward": "var(--c1)", "Backward": "var(--c3)", "Idle": "var(--grid)"}
_MOST_PASSES = 5_000
"""In the picture: a page stays below half a megabyte and a browser draws it at once."""
_ROW_PX = 20
_PAGE_PX = 900
"""Width of the picture on a wide page."""
_BAND = 0.86
_NUMBER_PX = 13
"""Width of a box that its micro-batch's number fits in."""


@dataclass(frozen=True)
class _Picture:
    """A schedule as it is drawn: in the unit of its axis, the break closed up."""

    played: Schedule
    narrowest_s: float
    """Of a forward pass."""
    gap: Break | None
    passes: list[Pass]
    stages: list[int]
    chunks: int
    micro_batches: int
    scale: float
    """Seconds of the axis' unit."""
    unit: str

    @property
    def saved_s(self) -> float:
        return self.gap.saved_s if self.gap else 0.0

    @property
    def end(self) -> float:
        """Of the axis."""
        return (self.played.length_s - self.saved_s) / self.scale

    @property
    def edges(self) -> tuple[float, float] | None:
        """Where on the axis the break begins and ends."""
        gap = self.gap
        return None if gap is None else (gap.start_s / self.scale, (gap.start_s + gap.width_s) / self.scale)

    def true_s(self, drawn_s: float) -> float:
        """The step's time at a place of the picture."""
        behind = self.gap is not None and drawn_s >= self.gap.start_s + self.gap.width_s - 1e-12
        return drawn_s + (self.saved_s if behind else 0.0)


def pipeline_chart(facts: PlanFacts) -> ChartSpec | None:
    """Forward and backward passes and idle time of each stage; none where the plan has one stage."""
    import altair as alt

    if facts.pipeline is None:
        return None
    picture = _picture(facts.pipeline)
    y = alt.Y("stage:O", title="Stage", sort=None, axis=alt.Axis(ticks=False, domain=False))
    layers = [_idle(picture, y), *_boxes(picture, y), *_break_marks(picture)]
    return ChartSpec(
        "pipeline-chart",
        _caption(facts.pipeline, picture),
        _told(facts.pipeline, picture),
        spec_of(alt.layer(*layers), _ROW_PX * len(picture.stages)),
    )


def _picture(facts: PipelineFacts) -> _Picture:
    played = schedule(facts.planned)
    gap = steady_break(played)
    placed = drawn(played, gap)
    stages = some_stages(played.stages, len(placed), _MOST_PASSES)
    shown = [one for one in placed if one.stage in set(stages)]
    planned = facts.planned
    narrowest = min(planned.forward_s) / planned.chunks
    return _Picture(
        played, narrowest, gap, shown, stages, planned.chunks, planned.micro_batches, *time_unit(played.length_s)
    )


def _x(picture: _Picture) -> "altair.X":
    """Time of the step: behind the break ticks tell the step's time, not the picture's place."""
    import altair as alt

    step = nice_step(picture.end / 7)
    edge = picture.edges[0] if picture.edges else picture.end
    ticks = [i * step for i in range(math.floor(edge / step) + 1)]
    saved = picture.saved_s / picture.scale
    if picture.gap is not None:
        first = math.ceil(picture.gap.end_s / picture.scale / step)
        ticks += [i * step - saved for i in range(first, math.floor((picture.end + saved) / step) + 1)]
    label = f"format(datum.value > {edge!r} ? datum.value + {saved!r} : datum.value, '.4~g')"
    axis = alt.Axis(values=ticks, labelExpr=label, grid=False)
    scale = alt.Scale(nice=False, domain=[0, picture.end])
    return alt.X("from:Q", title=f"Time in the step, {picture.unit}", axis=axis, scale=scale)


def nice_step(least: float) -> float:
    """The smallest of 1, 2, 5 × a power of ten that is no smaller."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def _colour() -> "altair.Color":
    import altair as alt

    return alt.Color("pass:N", scale=alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values())))


def _idle(picture: _Picture, y: "altair.Y") -> "altair.Chart":
    """Behind the boxes: a stage that does nothing else is idle."""
    import altair as alt

    first, second = picture.edges or (picture.end, picture.end)
    spans = [(0.0, first)] + ([(second, picture.end)] if picture.edges else [])
    rows = [{"stage": s + 1, "pass": "Idle", "from": a, "to": b} for s in picture.stages for a, b in spans]
    chart = alt.Chart(alt.Data(values=rows)).mark_rect(height={"band": _BAND})
    return chart.encode(x=_x(picture), x2="to:Q", y=y, color=_colour(), tooltip=["stage:O", "pass:N"])


def _boxes(picture: _Picture, y: "altair.Y") -> "list[altair.Chart]":
    import altair as alt

    base = alt.Chart(alt.Data(values=[_row(picture, one) for one in picture.passes]))
    share = picture.narrowest_s / picture.scale / picture.end
    shade = {} if picture.chunks == 1 else {"opacity": _shade(picture.chunks)}
    stroke = {"stroke": "var(--paper)", "strokeWidth": 0.5} if share * _PAGE_PX > 4 else {}
    boxes = base.mark_rect(height={"band": _BAND}, **stroke).encode(
        x=_x(picture), x2="to:Q", y=y, color=_colour(), tooltip=_tips(picture), **shade
    )
    if share * _PAGE_PX < _NUMBER_PX:
        return [boxes]
    seen = alt.ExprRef(f"width * {share!r} < {_NUMBER_PX} ? 0 : 1")
    whole = base.transform_filter(f"datum.to - datum.from > {0.9 * share * picture.end!r}")  # the break cuts some
    numbers = whole.mark_text(fontSize=9, fill="var(--paper)", opacity=seen)
    return [boxes, numbers.encode(x=alt.X("middle:Q"), y=y, text="n:Q", tooltip=_tips(picture))]


def _row(picture: _Picture, one: Pass) -> dict[str, Any]:
    start, end = one.start_s / picture.scale, one.end_s / picture.scale
    when = f"{duration(picture.true_s(one.start_s))}"
    return {
        "stage": one.stage + 1,
        "pass": one.kind,
        "n": one.micro_batch + 1,
        "chunk": one.chunk + 1,
        "from": round(start, 6),
        "to": round(end, 6),
        "middle": round((start + end) / 2, 6),
        "at": when,
    }


def _tips(picture: _Picture) -> "list[altair.Tooltip]":
    import altair as alt

    names = {"stage:O": "Stage", "pass:N": "Pass", "n:O": "Micro-batch"}
    names |= {"chunk:O": "Chunk"} if picture.chunks > 1 else {}
    return [alt.Tooltip(field, title=title) for field, title in (names | {"at:N": "From"}).items()]


def _shade(chunks: int) -> "altair.Opacity":
    """A stage's later chunks are paler."""
    import altair as alt

    return alt.Opacity("chunk:Q", scale=alt.Scale(domain=[1, chunks], range=[1.0, 0.45]), legend=None)


def _break_marks(picture: _Picture) -> "list[altair.Chart]":
    import altair as alt

    if picture.gap is None or picture.edges is None:
        return []
    edges = alt.Chart(alt.Data(values=[{"from": edge} for edge in picture.edges]))
    middle = alt.Chart(alt.Data(values=[{"from": sum(picture.edges) / 2, "text": _left_out(picture.gap)}]))
    text = middle.mark_text(angle=270, fill="var(--muted)", fontSize=11)
    return [
        edges.mark_rule(color="var(--muted)", strokeDash=[3, 3]).encode(x=_x(picture)),
        text.encode(x=_x(picture), y=alt.value(_ROW_PX * len(picture.stages) / 2), text="text:N"),
    ]


def _left_out(gap: Break) -> str:
    return f"⋯ {gap.micro_batches} more ⋯"


def _caption(facts: PipelineFacts, picture: _Picture) -> str:
    stages, schedule_name = picture.played.stages, "interleaved 1F1B" if picture.chunks > 1 else "1F1B"
    some = "" if len(picture.stages) == stages else f"; {len(picture.stages)} of {stages} stages are drawn"
    paler = " Paler: a stage's later chunks." if picture.chunks > 1 else ""
    gap = picture.gap
    left = (
        "" if gap is None else f" Left out of the steady part: about {gap.micro_batches} of {picture.micro_batches:,}."
    )
    return (
        f"One step of {picture.micro_batches:,} micro-batches under {schedule_name}{some}. Stages idle "
        f"{percent(picture.played.idle_share)} of this schedule on average; the busiest one's bubble is "
        f"{facts.bubble.text} of the whole step.{left}{paler} "
        "Transfers, the gradients' reduction and the optimizer are not drawn."
    )


def _told(facts: PipelineFacts, picture: _Picture) -> str:
    numbers = "; ".join(f"{pair.label}: {pair.text}" for pair in facts.numbers)
    return f"{numbers}. The schedule takes {duration(picture.played.length_s)}."
