"""Where the runs of a ladder stand in N and D, and the target beyond them."""

from typing import Any

from sixnd.reports.charts import ChartSpec, require_altair, spec_of
from sixnd.reports.ladder_documents import LadderFacts
from sixnd.reports.law_axes import count_scale

_HEIGHT_PX = 360
_RATIO = 20.0
_KINDS = {"Rung": ("var(--c1)", "circle"), "Target, by the law before": ("var(--c2)", "diamond")}


def ladder_charts(facts: LadderFacts) -> list[ChartSpec]:
    """One chart: rungs, target, and the line of 20 tokens a parameter."""
    import altair as alt

    require_altair()
    rows = _rows(facts)
    sizes, tokens = [row["N"] for row in rows], [row["D"] for row in rows]
    (n_scale, n_axis), (d_scale, d_axis) = count_scale(sizes), count_scale([*tokens, *(_RATIO * N for N in sizes)])
    x = alt.X("N:Q", title="N, parameters", scale=n_scale, axis=n_axis)
    y = alt.Y("D:Q", title="D, tokens", scale=d_scale, axis=d_axis)
    colours, shapes = (alt.Scale(domain=list(_KINDS), range=[each[i] for each in _KINDS.values()]) for i in (0, 1))
    ends = alt.Chart(alt.Data(values=[{"N": N, "D": _RATIO * N} for N in (min(sizes), max(sizes))]))
    layers = [
        ends.mark_line(color="var(--muted)", strokeDash=[5, 4], strokeWidth=1).encode(x=x, y=y),
        alt.Chart(alt.Data(values=rows)).mark_point(size=80, filled=True, opacity=0.7).encode(
            x=x,
            y=y,
            color=alt.Color("kind:N", scale=colours),
            shape=alt.Shape("kind:N", scale=shapes),
            tooltip=[alt.Tooltip(f"{field}:N", title=title) for field, title in _TIPS.items()],
        ),
    ]  # fmt: skip
    told = "; ".join(f"{row['name']}: {row['size']} on {row['tokens']} tokens" for row in rows)
    return [
        ChartSpec(
            "rungs-chart",
            "The runs of the ladder and its target. Dashed: 20 tokens a parameter. Runs at one point differ in seed.",
            f"{told}.",
            spec_of(alt.layer(*layers), _HEIGHT_PX),
        )
    ]


_TIPS = {"name": "Run", "size": "N", "tokens": "D", "money": "Money"}


def _rows(facts: LadderFacts) -> list[dict[str, Any]]:
    rung, target = _KINDS
    rows: list[dict[str, Any]] = [
        {
            "kind": rung,
            "name": row.name,
            "N": row.params.value,
            "D": row.tokens.value,
            "size": row.params.text,
            "tokens": row.tokens.text,
            "money": row.money.full,
        }
        for row in facts.rungs
    ]
    where = {"N": facts.target_params, "D": facts.target_tokens}
    texts = {"size": f"{facts.target_params:.4g}", "tokens": f"{facts.target_tokens:.4g}", "money": "–"}
    return [*rows, {"kind": target, "name": "target", **where, **texts}]
