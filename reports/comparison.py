"""The table of a run report: planned, actual, difference, status."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sixnd.reports import format as fmt
from sixnd.reports.attempts import Span, wall_time
from sixnd.reports.documents import Figure, Row, State, Status
from sixnd.reports.figures import NOT_PREDICTED, estimated, exact
from sixnd.reports.run_documents import TimeFacts
from sixnd.reports.step_table import StepTable
from sixnd.specs.plan import Estimate, Plan
from sixnd.specs.record import RunRecord

_HERO = {"loss", "tokens", "tokens_per_s", "wall_time", "money"}


class Verdict(NamedTuple):
    """A status and, where it is ``outside``, on which side."""

    status: Status
    direction: str = ""

    def text(self) -> str:
        """The verdict as a person reads it."""
        return f"{self.status}, {self.direction}" if self.direction else self.status


def judge(planned: Estimate, actual: float | None) -> Verdict:
    """Hold ``actual`` against the planned 80 % interval."""
    if actual is None:
        return Verdict("not measured")
    if math.isnan(actual):
        return Verdict("outside", "not a number")
    if planned.extrapolated:
        return Verdict("beyond the law's range")
    if planned.low <= actual <= planned.high:
        return Verdict("within")
    return Verdict("outside", "above" if actual > planned.high else "below")


def judge_count(planned: float, actual: float | None) -> Verdict:
    """Hold ``actual`` against a planned count, which has no interval."""
    if actual is None:
        return Verdict("not measured")
    if math.isclose(actual, planned, rel_tol=1e-12):
        return Verdict("as planned")
    return Verdict("outside", "above" if actual > planned else "below")


def steady(steps: StepTable) -> NDArray[np.intp]:
    """Places of the steps as they stand, without each attempt's first, which also loads, compiles and allocates."""
    attempt, step = steps.attempt[steps.current], steps.step[steps.current]
    kept = np.ones(step.size, dtype=np.bool_)
    for number in np.unique(attempt):
        kept &= ~((attempt == number) & (step == step[attempt == number].min()))
    return steps.current[kept]


def comparison(plan: Plan, record: RunRecord, steps: StepTable, time: TimeFacts | None, state: State) -> list[Row]:
    """Every row of the table, measured or not; ``record`` tells what is still true of the evaluations."""
    return [
        _loss(plan, record, state),
        *_counts(plan, steps, state),
        *_speed(plan, steps),
        *_totals(plan, record, steps, time, state),
    ]


def _loss(plan: Plan, record: RunRecord, state: State) -> Row:
    validations, planned = record.validations(), plan.estimates.loss
    last = validations[-1] if validations else None
    final = last is not None and last.step >= plan.training.steps
    note = "" if last is None or final else f"latest: {exact('nats', last.loss).text} at step {last.step:,}"
    actual = last.loss if last is not None and final else None
    if plan.continual is not None:
        row = _row("loss", "Validation loss at the end", "nats", planned, actual, Verdict("not predicted"), note)
        row = row.model_copy(update={"planned": NOT_PREDICTED, "difference": ""})
    else:
        row = _row("loss", "Validation loss at the end", "nats", planned, actual, judge(planned, actual), note)
    if actual is not None or state in ("finished", "not started"):
        return row
    return row.model_copy(update={"status": "so far", "status_text": f"open until step {plan.training.steps:,}"})


def _counts(plan: Plan, steps: StepTable, state: State) -> list[Row]:
    repeated = steps.step.size - steps.current.size
    note = f"{repeated:,} steps more were repeated after a resume" if repeated else ""
    tokens = float(steps.tokens[steps.current[-1]]) if steps.current.size else None
    reached = float(steps.reached) if steps.current.size else None
    per_token = plan.model.flops_per_token
    rows: list[tuple[str, str, str, float, float | None, str]] = [
        ("tokens", "Tokens", "count", plan.data.tokens, tokens, ""),
        ("flops", "Model FLOPs", "flops", per_token * plan.data.tokens, _times(tokens, per_token), note),
        ("steps", "Steps", "integer", plan.training.steps, reached, note),
    ]
    return [
        _row(key, label, kind, planned, actual, _total(judge_count(planned, actual), state), text)
        for key, label, kind, planned, actual, text in rows
    ]


def _speed(plan: Plan, steps: StepTable) -> list[Row]:
    e, batches = plan.estimates, plan.training.batches
    places = steady(steps)
    if batches.stages:
        places = places[steps.step[places] >= batches.stages[-1].first_step]
    full = "steps of the full batch" if batches.stages else ""
    peak = float(steps.memory_bytes.max()) if steps.step.size else None
    limit = exact("memory", plan.cluster.memory_bytes).text
    rows: list[tuple[str, str, str, Estimate, float | None, str]] = [
        ("step_time", "Step time", "duration", e.step_time_s, _median(steps.step_time_s[places]), full),
        ("tokens_per_s", "Tokens/s", "rate", e.tokens_per_s, _median(steps.tokens_per_s[places]), full),
        ("mfu", "MFU", "percent", e.mfu, _median(steps.mfu[places]), full),
        ("memory", "Peak memory, fullest rank", "memory", e.memory_bytes, peak, f"of {limit}"),
    ]
    return [
        _row(key, label, kind, planned, actual, judge(planned, actual), note)
        for key, label, kind, planned, actual, note in rows
    ]


def _totals(plan: Plan, record: RunRecord, steps: StepTable, time: TimeFacts | None, state: State) -> list[Row]:
    e = plan.estimates
    training = float(steps.step_time_s[steps.current].sum()) if steps.current.size else None
    figures: list[tuple[str, str, str, Estimate, float | None, str]] = [
        ("train_time", "Training time", "duration", e.train_time_s, training, "each step counted once"),
        ("energy", "Energy", "energy", e.energy_kwh, None, "no meter in the record"),
    ]
    first, last = (
        _row(key, label, kind, planned, actual, _total(judge(planned, actual), state), note)
        for key, label, kind, planned, actual, note in figures
    )
    return [first, _goodput(plan, time), *_spent(plan, wall_time(record, steps), state), last]


def _goodput(plan: Plan, time: TimeFacts | None) -> Row:
    """The measured share against the one that failures predict, or that the spec or the catalog gave."""
    measured, planned = None if time is None else time.goodput, plan.estimates.goodput
    actual = None if measured is None else measured.value
    note, given = "steps that count and evaluations, of the wall time", _given_share(plan)
    if planned is not None:
        row = _row("goodput", "Goodput", "percent", planned, actual, judge(planned, actual), note)
    else:
        verdict = Verdict("not measured" if actual is None else "not predicted")
        row = _row("goodput", "Goodput", "percent", math.nan if given is None else given, actual, verdict, note)
        told = {"planned": NOT_PREDICTED} if given is None else {"note": f"{note}; planned with a given share"}
        row = row.model_copy(update=told)
    return row if measured is None else row.model_copy(update={"actual": measured})


def _given_share(plan: Plan) -> float | None:
    """The share that the spec or the catalog gave, where no failures were counted on."""
    told = [decision.value for decision in plan.decisions if decision.what == "cluster.goodput"]
    try:
        return float(told[0])
    except (IndexError, ValueError):
        return None


def _spent(plan: Plan, wall: Span | None, state: State) -> list[Row]:
    """What follows from the wall time: accelerator-hours by their number, money by the plan's price."""
    e = plan.estimates
    seconds = None if wall is None else wall.seconds
    hours = _times(seconds, plan.cluster.count / 3600)
    price = plan.cluster.price_usd_per_accelerator_hour
    word = "Process-hours" if plan.cluster.shared_host else "Accelerator-hours"
    figures: list[tuple[str, str, str, Estimate, float | None, str]] = [
        ("wall_time", "Wall time", "duration", e.wall_time_s, seconds, ""),
        ("accelerator_hours", word, "hours", e.accelerator_hours, hours, ""),
        ("money", "Cost", "money", e.money_usd, _times(hours, price), f"at the plan's price, ${price:g} an hour"),
    ]
    rows = [
        _row(key, label, kind, planned, actual, _total(judge(planned, actual), state), note)
        for key, label, kind, planned, actual, note in figures
    ]
    return [_lower_bound(row) for row in rows] if wall is not None and wall.at_least else rows


def _lower_bound(row: Row) -> Row:
    """An attempt without an end counts by what its events tell: the total is a lower bound and cannot be ``within``."""
    assert row.actual is not None
    if not row.actual.value:
        return row
    text = f"≥ {row.actual.text}"
    note = "; ".join(part for part in (row.note, "an attempt without an end counts by what its events tell") if part)
    changes = {"actual": row.actual.model_copy(update={"text": text, "full": text}), "note": note}
    open_ended = row.status == "within" or row.status_text == "outside, below"
    verdict = {"status": "so far", "status_text": "so far"} if open_ended else {}
    return row.model_copy(update=changes | verdict)


def _total(verdict: Verdict, state: State) -> Verdict:
    """A total of a run that has not finished cannot be judged yet."""
    return verdict if state == "finished" or verdict.status == "not measured" else Verdict("so far")


def _row(
    key: str, label: str, kind: str, planned: Estimate | float, actual: float | None, verdict: Verdict, note: str
) -> Row:
    figure = estimated(kind, planned) if isinstance(planned, Estimate) else exact(kind, planned)
    return Row(
        key=key,
        label=label,
        planned=figure,
        actual=None if actual is None else exact(kind, actual),
        difference=_difference(kind, figure, actual),
        status=verdict.status,
        status_text=verdict.text(),
        note=note,
        hero=key in _HERO,
    )


def _difference(kind: str, planned: Figure, actual: float | None) -> str:
    if actual is None or planned.value is None or not math.isfinite(actual):
        return ""
    if kind == "nats":
        return fmt.difference(actual - planned.value, 3, " nats")
    if kind == "percent":
        return fmt.difference((actual - planned.value) * 100, 1, " points")
    return fmt.relative(actual, planned.value)


def _median(values: NDArray[np.float64]) -> float | None:
    return float(np.median(values)) if values.size else None


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
