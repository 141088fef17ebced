"""The isoFLOP chart: loss against model size for each compute budget, with parabolas and the law's own curves."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sixnd.reports.charts import ChartSpec, spec_of
from sixnd.reports.format import flops, size
from sixnd.reports.law_axes import count_scale, log_ticks
from sixnd.reports.law_documents import Isoflop, LawFacts

if TYPE_CHECKING:
    import altair

_HEIGHT_PX = 420
_BUDGETS, _LEGEND_BUDGETS, _POINTS = 9, 5, 40
_COLOURS = ["#2f8f8b", "#3f7fd0", "#8a66cf", "#c8559b", "#d9653b"]
"""By compute, low to high: of middle lightness, so that they can be read on a light page and on a dark one."""


def isoflop_chart(facts: LawFacts) -> ChartSpec | None:
    """Runs, parabola, lowest point and law for each budget whose parabola counts; of many, some that span them."""
    import altair as alt

    counted = [curve for curve in facts.isoflops if not curve.left_out]
    if not counted:
        return None
    shown = _spread_out(counted)
    runs = [row for curve in shown for row in _runs(curve, facts)]
    scale, axis = count_scale(row["N"] for row in runs)
    x = alt.X("N:Q", title="Parameters N", scale=scale, axis=axis)
    y = alt.Y("loss:Q", title="Loss, nats per token", scale=alt.Scale(zero=False, nice=False, padding=12))
    colour = _colour(shown)
    curves = alt.Chart(alt.Data(values=[row for curve in shown for row in _curves(curve, facts)]))
    dashes = alt.Scale(domain=["Parabola", "Law"], range=[[1, 0], [5, 4]])
    legend = alt.Legend(symbolStrokeColor="var(--muted)", symbolType="stroke", symbolStrokeWidth=2)
    layers = [
        curves.mark_line(strokeWidth=1.6, clip=True).encode(
            x=x, y=y, color=colour, detail="C:Q", strokeDash=alt.StrokeDash("curve:N", scale=dashes, legend=legend)
        ),
        alt.Chart(alt.Data(values=runs))
        .mark_point(size=30, filled=True, opacity=0.85)
        .encode(x=x, y=y, color=colour, tooltip=_tips()),
        alt.Chart(alt.Data(values=[_lowest(curve) for curve in shown]))
        .mark_point(size=80, shape="diamond", filled=True, opacity=1, stroke="var(--paper)", strokeWidth=1)
        .encode(x=x, y=y, color=colour, tooltip=_tips()),
    ]
    return ChartSpec(
        "isoflops",
        f"Loss against size at equal compute ({_how_many(shown, facts)}): the runs, the parabola through each budget's "
        "runs and its lowest point (diamond); dashed, what the fitted law says of the same compute.",
        "; ".join(f"{flops(c.compute_flops)} FLOPs: lowest {c.loss:.3f} nats at N = {size(c.params)}" for c in shown)
        + ".",
        spec_of(alt.layer(*layers), _HEIGHT_PX),
    )


def _spread_out(curves: list[Isoflop]) -> list[Isoflop]:
    """Of each equal part of the range of ln C, the budget with the most runs; all where they are few."""
    if len(curves) <= _BUDGETS:
        return curves
    logs = np.log([curve.compute_flops for curve in curves])
    parts = np.clip(((logs - logs[0]) / np.ptp(logs) * _BUDGETS).astype(int), 0, _BUDGETS - 1)
    members = [[curve for curve, own in zip(curves, parts, strict=True) if own == part] for part in range(_BUDGETS)]
    return [max(some, key=lambda curve: len(curve.runs)) for some in members if some]


def _colour(shown: list[Isoflop]) -> "altair.Color":
    import altair as alt

    low, high = shown[0].compute_flops, shown[-1].compute_flops
    if low == high:
        return alt.value(_COLOURS[0])
    scale = alt.Scale(type="log", range=_COLOURS, domain=[low, high])
    few = len(shown) <= _LEGEND_BUDGETS
    ticks = [curve.compute_flops for curve in shown] if few else log_ticks(low, high, _LEGEND_BUDGETS)
    legend = alt.Legend(
        title="C, FLOPs",
        titleColor="var(--muted)",
        titleFontWeight="normal",
        type="symbol",
        values=ticks,
        labelExpr="replace(format(datum.value, '.2~e'), '+', '')",
    )
    return alt.Color("C:Q", scale=scale, legend=legend)


def _how_many(shown: list[Isoflop], facts: LawFacts) -> str:
    groups = len(facts.isoflops)
    told = f"{len(shown)} of {groups} budgets" if len(shown) < groups else f"{groups} budget{'s' * (groups != 1)}"
    left_out = sum(bool(curve.left_out) for curve in facts.isoflops)
    return told + (f", {left_out} left out for want of a lowest point" if left_out else "")


def _runs(curve: Isoflop, facts: LawFacts) -> list[dict[str, Any]]:
    return [
        {"C": curve.compute_flops, "N": run.params, "D": run.tokens, "loss": run.loss, "what": run.row}
        for run in (facts.runs[place] for place in curve.runs)
    ]


def _lowest(curve: Isoflop) -> dict[str, Any]:
    tokens = curve.compute_flops / 6 / curve.params
    return {"C": curve.compute_flops, "N": curve.params, "D": tokens, "loss": curve.loss, "what": "lowest point"}


def _curves(curve: Isoflop, facts: LawFacts) -> list[dict[str, Any]]:
    """The parabola and the law along one budget, no farther than its runs."""
    sizes = [facts.runs[place].params for place in curve.runs]
    rows = []
    for N in np.geomspace(min(sizes), max(sizes), _POINTS).tolist():
        c0, c1, c2 = curve.coefficients
        parabola = c0 + c1 * math.log(N) + c2 * math.log(N) ** 2
        rows.append({"C": curve.compute_flops, "N": N, "loss": parabola, "curve": "Parabola"})
        rows.append({"C": curve.compute_flops, "N": N, "loss": _law(facts, N, curve.compute_flops), "curve": "Law"})
    return rows


def _law(facts: LawFacts, N: float, compute: float) -> float:
    """L(N, C/6N), nats per token."""
    E, A, B, alpha, beta = (facts.constant(key).figure.value or 0.0 for key in ("E", "A", "B", "alpha", "beta"))
    return float(E + A / N**alpha + B / (compute / 6 / N) ** beta)


def _tips() -> "list[Any]":
    import altair as alt

    return [
        "what:N",
        alt.Tooltip("C:Q", format=".2e"),
        alt.Tooltip("N:Q", format=".3s"),
        alt.Tooltip("D:Q", format=".3s"),
        alt.Tooltip("loss:Q", format=".4f"),
    ]
