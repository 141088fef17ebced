"""What a plan says of cost beyond its estimates: layouts, sensitivities, the pipeline; as values and as text."""

from sixnd.reports import format as fmt
from sixnd.reports.documents import Ends, Figure, Option, Pair, PipelineFacts, SensitivityRow
from sixnd.reports.figures import exact
from sixnd.specs.plan import LayoutOption, Plan, Sensitivity, Swing

_KINDS = {
    "share of peak": "percent",
    "share of wall-clock": "percent",
    "USD an accelerator-hour": "price",
    "accelerator-hours": "hours",
    "s": "duration",
}
"""How an input is written, by its unit."""


def option(one: LayoutOption) -> Option:
    """A layout that was considered."""
    return Option(
        layout=one.layout.label(),
        chosen=one.chosen,
        step_time=_known("duration", one.step_time_s),
        memory=_known("memory", one.memory_bytes),
        why_not=one.why_not,
        wall_time=_known("duration", one.wall_time_s),
        money=_known("money", one.money_usd),
        headroom=_known("memory", one.headroom_bytes),
    )


def _known(kind: str, value: float | None) -> Figure | None:
    return None if value is None else exact(kind, value)


def sensitivity(plan: Plan, row: Sensitivity) -> SensitivityRow:
    """How days and dollars move with one input."""
    kind = _KINDS.get(row.unit, "number")
    ends, planned_s = row.interval, plan.estimates.wall_time_s.value
    return SensitivityRow(
        what=row.what,
        planned=_input(kind, row),
        interval=None if ends is None else _ends(kind, ends),
        tenth=_ends(kind, row.tenth),
        wall_time="" if ends is None else _days(planned_s, ends.wall_time_at_low_s, ends.wall_time_at_high_s),
        money=""
        if ends is None
        else _from_to(*(fmt.money(m) for m in (ends.money_at_low_usd, ends.money_at_high_usd))),
        tenth_text=_tenth(plan, row.tenth),
        basis=row.basis,
    )


def _input(kind: str, row: Sensitivity) -> Figure:
    planned = exact(kind, row.value)
    if row.interval is None:
        return planned
    between = fmt.interval(kind, row.value, row.interval.low, row.interval.high)
    full = f"{planned.text} ({between})"
    return planned.model_copy(
        update={"low": row.interval.low, "high": row.interval.high, "interval": between, "full": full}
    )


def _ends(kind: str, swing: Swing) -> Ends:
    return Ends(
        input_at_low=exact(kind, swing.low),
        input_at_high=exact(kind, swing.high),
        wall_time_at_low=exact("duration", swing.wall_time_at_low_s),
        wall_time_at_high=exact("duration", swing.wall_time_at_high_s),
        money_at_low=exact("money", swing.money_at_low_usd),
        money_at_high=exact("money", swing.money_at_high_usd),
    )


def _days(planned: float, at_low: float, at_high: float) -> str:
    """Both ends in the unit of the planned wall-clock: ``120 → 80 days``."""
    scale, unit = fmt.time_unit(planned)
    low, high = (fmt.significant(value / scale) for value in (at_low, at_high))
    return "unchanged" if at_low == at_high else f"{_from_to(low, high)} {unit}"


def _from_to(low: str, high: str) -> str:
    return low if low == high else f"{low} → {high}"


def _tenth(plan: Plan, swing: Swing) -> str:
    """Relative change of the cost, or of the wall-clock where nothing is paid."""
    e = plan.estimates
    if e.money_usd.value:
        ends, planned = (swing.money_at_low_usd, swing.money_at_high_usd), e.money_usd.value
    else:
        ends, planned = (swing.wall_time_at_low_s, swing.wall_time_at_high_s), e.wall_time_s.value
    less, more = (fmt.relative(end, planned) for end in ends)
    return f"{less.removesuffix(' %')} / {more}"


def pipeline(plan: Plan) -> PipelineFacts | None:
    """The pipeline's schedule; none with one stage."""
    made = plan.pipeline
    if made is None:
        return None
    bubble = exact("percent", plan.estimates.time.pipeline_bubble / sum(plan.estimates.time.plain().values()))
    rows = [
        ("Stages", f"{len(made.forward_s)}"),
        ("Chunks a stage", f"{made.chunks} (interleaved)" if made.chunks > 1 else "1"),
        ("Micro-batches a step", f"{made.micro_batches:,}"),
        ("Forward pass of one", _stages(made.forward_s)),
        ("Backward pass of one", _stages(made.backward_s)),
        ("Bubble", f"{bubble.text} of the step"),
    ]
    return PipelineFacts(numbers=[Pair(label=label, text=text) for label, text in rows], bubble=bubble, planned=made)


def _stages(seconds: list[float]) -> str:
    """Of a stage in the middle, and where they differ, of both ends."""
    middle, first, last = (fmt.duration(seconds[i]) for i in (len(seconds) // 2, 0, -1))
    ends = [f"{text} on the {name}" for name, text in (("first", first), ("last", last)) if text != middle]
    return ", ".join([f"{middle} a stage", *ends])
