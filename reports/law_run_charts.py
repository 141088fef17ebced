"""Charts of the runs a law was fitted to: residuals, and each run predicted from all the others."""

import math
from typing import TYPE_CHECKING, Any

from sixnd.reports.charts import ChartSpec, spec_of
from sixnd.reports.decimate import POINT_LIMIT
from sixnd.reports.format import percent
from sixnd.reports.law_axes import compute_axis, log_ticks, loss_ticks, padded
from sixnd.reports.law_documents import LawFacts, RunPoint
from sixnd.reports.law_tables import signed_percent

if TYPE_CHECKING:
    import altair

_HEIGHT_PX = 360
_SIGNED = "datum.value === 0 ? '0' : format(datum.value, '+~g')"
_NAMED_OUTLIERS = 6
_WORST_DRAWN = 50
_RUNS = "runs"
"""Name of the data set of runs inside a spec: thousands of rows are not to be checked one by one by altair."""


def thinned(runs: list[RunPoint]) -> list[RunPoint]:
    """The runs by compute; of more than a chart can show, the largest residuals and a fair choice of the others."""
    ordered = sorted(runs, key=lambda run: run.compute_flops)
    if len(ordered) <= POINT_LIMIT:
        return ordered
    step = (len(ordered) - 1) / (POINT_LIMIT - _WORST_DRAWN - 1)
    kept = {round(i * step) for i in range(POINT_LIMIT - _WORST_DRAWN)}
    by_size = sorted(range(len(ordered)), key=lambda place: -abs(ordered[place].residual))
    kept.update(by_size[:_WORST_DRAWN])
    return [ordered[place] for place in sorted(kept)]


def thinned_caption(facts: LawFacts) -> str:
    """How many runs a chart draws, where it leaves some out."""
    total = len(facts.runs)
    drawn = f" {len(thinned(facts.runs)):,} of the {total:,} runs are drawn, those of the largest residuals among them."
    return drawn if total > POINT_LIMIT else ""


def run_rows(facts: LawFacts) -> list[dict[str, Any]]:
    """The runs that charts draw, as data."""
    return [_row(run) for run in thinned(facts.runs)]


def run_marks() -> "altair.Chart":
    """A chart of the runs, whose data ``with_runs`` adds."""
    import altair as alt

    return alt.Chart(alt.NamedData(_RUNS))


def with_runs(spec: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The spec with the runs that ``run_marks`` refers to."""
    return spec | {"datasets": {_RUNS: rows}}


def _row(run: RunPoint) -> dict[str, Any]:
    return {
        "C": run.compute_flops,
        "run": run.row,
        "N": run.params,
        "D": run.tokens,
        "loss": run.loss,
        "residual": 100 * run.residual,
        "left_out": run.left_out,
        "left_out_error": 100 * run.left_out_error,
        "kind": "Outlier" if run.outlier else "Run",
    }


def run_tips() -> "list[Any]":
    """What a run tells when it is pointed at."""
    import altair as alt

    return [
        "run:N",
        alt.Tooltip("N:Q", format=".3s"),
        alt.Tooltip("D:Q", format=".3s"),
        alt.Tooltip("loss:Q", format=".4f"),
        alt.Tooltip("residual:Q", title="residual, %", format="+.2f"),
        alt.Tooltip("left_out_error:Q", title="left out, %", format="+.2f"),
    ]


def residual_chart(facts: LawFacts) -> ChartSpec:
    """What the law leaves of each run's loss, against compute; outliers by name."""
    import altair as alt

    rows = run_rows(facts)
    spread = 100 * (facts.residual_sd or 0.0)
    scale, axis, squeezed = _residual_scale([row["residual"] for row in rows], spread)
    x = compute_axis(*padded([row["C"] for row in rows]))
    y = alt.Y("residual:Q", title="Residual, % of the loss", scale=scale, axis=axis)
    zero = alt.Chart(alt.Data(values=[{"residual": 0, "low": -2 * spread, "high": 2 * spread}]))
    layers = [
        zero.mark_rect(color="var(--c3)", opacity=0.16).encode(y=alt.Y("low:Q"), y2="high:Q"),
        zero.mark_rule(color="var(--rule)").encode(y=y),
        _marked(facts).encode(x=x, y=y),
        *_outlier_names(rows, x, y),
    ]
    outliers = [run for run in facts.runs if run.outlier]
    named = "; ".join(f"{run.row} {signed_percent(run.residual)}" for run in outliers[:_NAMED_OUTLIERS])
    told = f"Outliers: {named}" if outliers else "No run is an outlier"
    worst = max(facts.runs, key=lambda run: abs(run.residual))
    return ChartSpec(
        "residuals-chart",
        "What of each loss the law leaves unexplained, against compute. Shaded: two standard deviations either way."
        f"{' The scale is logarithmic beyond them.' if squeezed else ''}{thinned_caption(facts)}",
        f"{told}. The largest residual is {signed_percent(worst.residual)} at {worst.row}.",
        with_runs(spec_of(alt.layer(*layers), _HEIGHT_PX), rows),
    )


def _residual_scale(values: list[float], spread: float) -> "tuple[altair.Scale, altair.Axis, bool]":
    """Linear, or symmetric-logarithmic where an outlier would squash all others into a line."""
    import altair as alt

    most = max(abs(value) for value in values)
    squeezed = spread > 0 and most > 8 * spread
    if not squeezed:
        edge = max(most, 2 * spread) * 1.1 or 1.0
        return alt.Scale(domain=[-edge, edge], nice=False), alt.Axis(tickCount=7, labelExpr=_SIGNED), False
    linear = 2 * spread
    ticks = log_ticks(linear, most * 1.3, 6)
    scale = alt.Scale(type="symlog", constant=linear, domain=[min(*values, -linear) * 1.2, max(*values, linear) * 1.2])
    return scale, alt.Axis(values=[-tick for tick in ticks] + [0, *ticks], labelExpr=_SIGNED), True


def _marked(facts: LawFacts) -> "altair.Chart":
    import altair as alt

    kinds = ["Run", "Outlier"] if any(run.outlier for run in facts.runs) else ["Run"]
    legend = alt.Legend() if len(kinds) > 1 else None
    colours = alt.Scale(domain=kinds, range=["var(--c1)", "var(--c2)"][: len(kinds)])
    shapes = alt.Scale(domain=kinds, range=["circle", "diamond"][: len(kinds)])
    return (
        run_marks()
        .mark_point(size=40, filled=True, opacity=0.75)
        .encode(
            color=alt.Color("kind:N", scale=colours, legend=legend),
            shape=alt.Shape("kind:N", scale=shapes, legend=legend),
            tooltip=run_tips(),
        )
    )


def _outlier_names(rows: list[dict[str, Any]], x: "altair.X", y: "altair.Y") -> "list[altair.Chart]":
    import altair as alt

    outliers = sorted((row for row in rows if row["kind"] == "Outlier"), key=lambda row: -abs(row["residual"]))
    if not outliers:
        return []
    middle = math.sqrt(rows[0]["C"] * rows[-1]["C"])
    sides = ([row for row in outliers[:_NAMED_OUTLIERS] if (row["C"] < middle) is left] for left in (True, False))
    return [
        alt.Chart(alt.Data(values=side))
        .mark_text(align=align, dx=dx, fill="var(--muted)", fontSize=10, limit=170)
        .encode(x=x, y=y, text="run:N")
        for side, align, dx in zip(sides, ("left", "right"), (8, -8), strict=True)
        if side
    ]


def left_out_chart(facts: LawFacts) -> ChartSpec:
    """Each run's loss by a law fitted to all others, against the measured one."""
    import altair as alt

    rows = run_rows(facts)
    every = [row[key] for row in rows for key in ("loss", "left_out")]
    low, high = padded(every)
    scale, ticks = alt.Scale(type="log", nice=False, domain=[low, high]), loss_ticks(every)
    x = alt.X("loss:Q", title="Measured loss, nats per token", scale=scale, axis=alt.Axis(values=ticks, grid=False))
    y = alt.Y("left_out:Q", title="Loss by all other runs", scale=scale, axis=alt.Axis(values=ticks))
    diagonal = alt.Chart(alt.Data(values=[{"loss": end, "left_out": end} for end in (low, high)]))
    layers = [
        diagonal.mark_line(color="var(--rule)", strokeWidth=1.2, clip=True).encode(x=x, y=y),
        _marked(facts).encode(x=x, y=y),
    ]
    error = facts.constant("leave_one_out")
    worst = max(facts.runs, key=lambda run: abs(run.left_out_error))
    return ChartSpec(
        "left-out",
        "Leave-one-out: each run's loss as predicted by a law fitted to all the others, against its measured loss. On "
        f"the line they agree; the median error is {error.figure.text}.{thinned_caption(facts)}",
        f"Error of a run's loss predicted from the others: {error.figure.text} ({error.reason}). The worst is "
        f"{worst.row}, {percent(abs(worst.left_out_error))}.",
        with_runs(spec_of(alt.layer(*layers), _HEIGHT_PX), rows),
    )
