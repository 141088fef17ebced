"""The charts of forgetting: held-out losses over a run, and what was forgotten and learnt over replayed shares."""

from typing import TYPE_CHECKING, Any

from sixnd.reports.charts import ChartSpec, si_axis, spec_of
from sixnd.reports.forgetting_documents import ForgettingComparison, ForgettingFacts, HeldOutChange, Kind

if TYPE_CHECKING:
    import altair

_HEIGHT_PX = 220
_TITLES: dict[Kind, str] = {"general": "General text", "new": "New text"}
_COLOURS: dict[Kind, str] = {"general": "var(--c2)", "new": "var(--c1)"}
FORGETTING_CHARTS = ("forgetting-general", "forgetting-new")
COMPARISON_CHARTS = ("compared-general", "compared-new")


def forgetting_charts(facts: ForgettingFacts | None) -> list[ChartSpec]:
    """Loss over tokens, general text and new text side by side, each with a line where the base stood."""
    if facts is None:
        return []
    return [_course(facts, kind) for kind in _TITLES if any(row.kind == kind for row in facts.sources)]


def _course(facts: ForgettingFacts, kind: Kind) -> ChartSpec:
    import altair as alt

    own = [row for row in facts.sources if row.kind == kind and not row.together]
    rows = [
        {"source": row.name, "tokens": tokens, "step": step, "value": value}
        for row in own
        for tokens, step, value in zip(facts.tokens, facts.steps, facts.curves[row.name], strict=True)
    ]
    y = alt.Y("value:Q", title="Loss, nats per token", scale=alt.Scale(zero=False))
    tips = ["source:N", alt.Tooltip("step:Q", format=","), alt.Tooltip("value:Q", format=".4f")]
    x = alt.X("tokens:Q", title="Tokens", axis=si_axis(), scale=alt.Scale(nice=False))
    shown: dict[str, Any] = {"color": alt.value(_COLOURS[kind])} if len(own) == 1 else {"color": _by_source(own)}
    lines = alt.Chart(alt.Data(values=rows)).mark_line(strokeWidth=1.8, point={"size": 26})
    started = alt.Chart(alt.Data(values=[{"value": row.before.value, "source": row.name} for row in own]))
    layers = [
        started.mark_rule(strokeDash=[5, 4], opacity=0.7).encode(y=y, **shown),
        lines.encode(x=x, y=y, tooltip=tips, **shown),
    ]
    told = "; ".join(f"{r.name} from {r.before.text} to {r.after.text} ({r.change.text})" for r in own)
    caption = f"{_TITLES[kind]}: loss on held-out text, dashed where the base stood."
    return ChartSpec(
        f"forgetting-{kind}", caption, f"{_TITLES[kind]}: {told}.", spec_of(alt.layer(*layers), _HEIGHT_PX)
    )


def _by_source(own: list[HeldOutChange]) -> "altair.Color":
    import altair as alt

    return alt.Color("source:N", sort=[row.name for row in own], legend=alt.Legend(columns=2, labelLimit=130))


def comparison_charts(facts: ForgettingComparison) -> list[ChartSpec]:
    """Change of the loss over the replayed share, general text and new text side by side."""
    return [_over_replay(facts, kind) for kind in _TITLES]


def _over_replay(facts: ForgettingComparison, kind: Kind) -> ChartSpec:
    import altair as alt

    found = [(run, run.general if kind == "general" else run.new) for run in facts.runs]
    rows = [
        {"run": run.name, "replay": run.replay.value, "value": row.change.value}
        for run, row in found
        if row is not None and row.change.value is not None
    ]
    word = "forgotten above zero" if kind == "general" else "learnt below zero"
    y = alt.Y("value:Q", title="Change of loss, nats per token", scale=alt.Scale(zero=kind == "general"))
    x = alt.X("replay:Q", title="Replayed share of tokens", axis=alt.Axis(format="%", tickCount=5))
    tips = ["run:N", alt.Tooltip("replay:Q", format=".1%"), alt.Tooltip("value:Q", format="+.4f")]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(strokeWidth=1.6, point={"size": 48, "color": _COLOURS[kind]}, color=_COLOURS[kind])
        .encode(x=x, y=y, tooltip=tips)
    )
    told = "; ".join(f"{run.name} {row.change.text}" for run, row in found if row is not None)
    caption = f"{_TITLES[kind]}: change of the held-out loss from the base to the end, {word}."
    return ChartSpec(f"compared-{kind}", caption, f"{_TITLES[kind]}: {told}.", spec_of(chart, _HEIGHT_PX))
