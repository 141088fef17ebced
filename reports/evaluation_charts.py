"""The charts of evaluations in the loop: bits per byte of each source, and each task's pair of metrics."""

from typing import TYPE_CHECKING, Any

from sixnd.reports.charts import ChartSpec, si_axis, spec_of
from sixnd.reports.documents import Figure
from sixnd.reports.evaluation_documents import EvaluationFacts, SourceCurve, TaskFacts

if TYPE_CHECKING:
    import altair

_COLOURS = [f"var(--c{number})" for number in range(1, 7)]
_DASHES = [[1, 0], [6, 3], [2, 3], [8, 3, 2, 3]]
_PROBABILITY = "probability of the answer"
_OF = {"nats per byte": " of the right answer", "Brier score": " of the choices"}
_ENDS = ("value", "low", "high")
_HEIGHT_PX = 200


def evaluation_charts(facts: EvaluationFacts) -> list[ChartSpec]:
    """Bits per byte, and for each task the discrete metric beside the continuous one."""
    sources = [_sources(facts.sources)] if facts.sources else []
    return [*sources, *(chart for task in facts.tasks for chart in (_discrete(task), _continuous(task)))]


def task_chart_keys(facts: EvaluationFacts) -> list[str]:
    """Keys of the tasks' charts, each pair side by side."""
    return [f"task-{task.task}{end}" for task in facts.tasks for end in ("", "-paired")]


def _sources(sources: list[SourceCurve]) -> ChartSpec:
    import altair as alt

    rows = [
        {"source": source.name, "tokens": tokens, "step": step, "value": value}
        for source in sources
        for tokens, step, value in zip(source.tokens, source.steps, source.bits, strict=True)
    ]
    names = [source.name for source in sources]
    colours = [_COLOURS[i % len(_COLOURS)] for i in range(len(names))]
    dashes = [_DASHES[i // len(_COLOURS) % len(_DASHES)] for i in range(len(names))]
    legend = alt.Legend(columns=2, labelLimit=130, symbolType="stroke", symbolStrokeWidth=3)
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(strokeWidth=1.8, point={"size": 26})
        .encode(
            x=_tokens(),
            y=alt.Y("value:Q", title="Bits per byte", scale=alt.Scale(zero=False)),
            color=alt.Color("source:N", scale=alt.Scale(domain=names, range=colours), legend=legend),
            strokeDash=alt.StrokeDash("source:N", scale=alt.Scale(domain=names, range=dashes), legend=legend),
            tooltip=["source:N", alt.Tooltip("step:Q", format=","), alt.Tooltip("value:Q", format=".4f")],
        )
    )
    told = "; ".join(f"{s.name} from {s.first_bits_per_byte.text} to {s.bits_per_byte.text}" for s in sources)
    return ChartSpec("source-bits", "Bits per byte of each source's held-out text.", f"{told}.", spec_of(chart, 300))


def _discrete(task: TaskFacts) -> ChartSpec:
    import altair as alt

    name = task.discrete_name
    rows = [_row(task, i, point.discrete, name) for i, point in enumerate(task.points)]
    rows += [_row(task, i, point.probability, _PROBABILITY) for i, point in enumerate(task.points)]
    scale = alt.Scale(domain=[name, _PROBABILITY], range=_COLOURS[:2])
    axis = alt.Axis(format="%", tickCount=5)
    chance = alt.Chart(alt.Data(values=[{"value": task.chance.value, "text": "chance"}]))
    label = chance.mark_text(align="right", dx=-6, dy=-7, fill="var(--muted)")
    layers = [
        *_with_interval(rows, "Share", alt.Color("curve:N", scale=scale, legend=alt.Legend(columns=1)), axis=axis),
        chance.mark_rule(color="var(--muted)", strokeDash=[5, 4]).encode(y=alt.Y("value:Q", title="Share")),
        label.encode(x=alt.value("width"), y=alt.Y("value:Q", title="Share"), text="text:N"),
    ]
    first, last = task.points[0], task.points[-1]
    told = f"{task.task}, {name}: from {first.discrete.full} to {last.discrete.full}; chance {task.chance.text}."
    caption = f"{task.task}: {name} and the probability of the right answer, with 95 % intervals and the chance level."
    return ChartSpec(f"task-{task.task}", caption, told, spec_of(alt.layer(*layers), _HEIGHT_PX))


def _continuous(task: TaskFacts) -> ChartSpec:
    import altair as alt

    name = task.paired_name
    rows = [_row(task, i, point.paired, name) for i, point in enumerate(task.points)]
    layers = _with_interval(rows, f"{name[0].upper()}{name[1:]}", alt.value("var(--c2)"), scale=alt.Scale(zero=False))
    first, last = task.points[0].paired, task.points[-1].paired
    told = f"{task.task}, {name}: from {first.full} to {last.full}. {task.link.text}"
    caption = f"{task.task}: {name}{_OF.get(name, '')}. {task.link.text}"
    return ChartSpec(f"task-{task.task}-paired", caption, told, spec_of(alt.layer(*layers), _HEIGHT_PX))


def _with_interval(rows: list[dict[str, Any]], title: str, colour: Any, **options: Any) -> "list[altair.Chart]":
    import altair as alt

    chart, y = (
        alt.Chart(alt.Data(values=rows)).encode(x=_tokens(), color=colour),
        alt.Y("value:Q", title=title, **options),
    )
    tips = ["curve:N", alt.Tooltip("step:Q", format=","), *(alt.Tooltip(f"{end}:Q", format=".4~g") for end in _ENDS)]
    return [
        chart.mark_line(strokeWidth=1.6, point={"size": 26}).encode(y=y, tooltip=tips),
        chart.mark_rule(strokeWidth=1, opacity=0.6).encode(y=alt.Y("low:Q", title=title, **options), y2="high:Q"),
    ]


def _row(task: TaskFacts, number: int, figure: Figure, curve: str) -> dict[str, Any]:
    point = task.points[number]
    ends = {"value": figure.value, "low": figure.low, "high": figure.high}
    return {"tokens": point.tokens, "step": point.step, "curve": curve} | ends


def _tokens() -> "altair.X":
    import altair as alt

    return alt.X("tokens:Q", title="Tokens", axis=si_axis(), scale=alt.Scale(nice=False))
