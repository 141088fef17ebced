"""The N that each law would choose for a plan's compute, beside the plan's own."""

from typing import Any

from sixnd.reports.charts import ChartSpec, spec_of
from sixnd.reports.documents import LawRow
from sixnd.reports.law_axes import count_scale
from sixnd.reports.plan_documents import PlanFacts

_ROW_PX = 22
_KINDS = {"The plan's law": "var(--c2)", "Other laws": "var(--c1)"}


def laws_chart(facts: PlanFacts) -> ChartSpec | None:
    """A dot a law with its 80 % interval, and a line at the plan's N; none where fewer than two laws speak of N."""
    import altair as alt

    rows = [_row(row) for row in facts.law_choices if row.params is not None and row.params.value]
    planned = facts.number("active_params" if _has_experts(facts) else "params").figure
    if len(rows) < 2 or not planned.value:
        return None
    scale, axis = count_scale([row[end] for row in rows for end in ("low", "high")] + [planned.value])
    x = alt.X("N:Q", title="N, parameters", scale=scale, axis=axis)
    y = alt.Y("law:N", title=None, sort=None, axis=alt.Axis(labelLimit=170))
    colour = alt.Color("kind:N", scale=alt.Scale(domain=list(_KINDS), range=list(_KINDS.values())))
    base = alt.Chart(alt.Data(values=rows)).encode(y=y, color=colour, tooltip=_tips())
    here = alt.Chart(alt.Data(values=[{"N": planned.value, "what": f"this plan: {planned.text}"}]))
    layers = [
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", scale=scale, title="N, parameters"), x2="high:Q"),
        base.mark_point(size=70, filled=True, opacity=1).encode(x=x),
        here.mark_rule(color="var(--ink)", strokeDash=[5, 4]).encode(x=x, tooltip=["what:N"]),
    ]
    told = "; ".join(f"{row['law']} {row['text']}" for row in rows)
    return ChartSpec(
        "laws-chart",
        f"N by each law for this compute, with its 80 % interval where one is published. Dashed: the plan, "
        f"{planned.text}.",
        f"The plan has {planned.text}. {told}.",
        spec_of(alt.layer(*layers), _ROW_PX * len(rows)),
    )


def _has_experts(facts: PlanFacts) -> bool:
    return any(number.key == "active_params" for number in facts.key_numbers)


def _row(row: LawRow) -> dict[str, Any]:
    assert row.params is not None, "it was asked for"
    N = row.params.value
    return {
        "law": row.law,
        "kind": next(iter(_KINDS)) if row.chosen else "Other laws",
        "N": N,
        "low": row.params.low or N,
        "high": row.params.high or N,
        "text": row.params.full,
        "ratio": "–" if row.tokens_per_param is None else f"{row.tokens_per_param:.3g}",
        "note": row.note or "–",
    }


def _tips() -> "list[Any]":
    import altair as alt

    names = {"law": "Law", "text": "N", "ratio": "D/N", "note": "Note"}
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in names.items()]
