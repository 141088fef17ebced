"""From a run's evaluations to what reports show of them."""

import math
from collections.abc import Sequence

from sixnd.reports.documents import Figure
from sixnd.reports.evaluation_documents import EvaluationFacts, SourceCurve, TaskFacts, TaskPoint
from sixnd.reports.evaluation_link import link_test
from sixnd.reports.figures import exact
from sixnd.reports.format import FORMATS, interval
from sixnd.specs.evaluation_record import Measured, SourceLosses, TaskItems, TaskScore, TaskScores, TasksWritten
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord

_GRADED = {"Brier score": "ratio", "tokens right": "share"}


def evaluation_facts(plan: Plan, record: RunRecord) -> EvaluationFacts:
    """The loss of each source and every task's metrics over the run."""
    written: TasksWritten | None = record.last(TasksWritten)
    answered = record.task_scores()
    tasks = [] if written is None else written.tasks
    found = [_task(task, answered) for task in tasks if any(_of(scores, task.task) for scores in answered)]
    known = {task.task for task in found}
    return EvaluationFacts(
        sources=_sources(plan, record.source_losses()),
        tasks=found,
        unanswered=[task.task for task in tasks if task.task not in known],
        items_sha256=sorted({each.sha256 for each in record.of(TasksWritten)}),
    )


def _sources(plan: Plan, measured: list[SourceLosses]) -> list[SourceCurve]:
    names = [source.name for source in measured[-1].sources] if measured else []
    return [_source(plan, name, measured) for name in names]


def _source(plan: Plan, name: str, measured: list[SourceLosses]) -> SourceCurve:
    rows = [(each.step, source) for each in measured for source in each.sources if source.name == name]
    steps, last = [step for step, _ in rows], rows[-1][1]
    return SourceCurve(
        name=name,
        loss=exact("nats", last.loss),
        bits_per_byte=exact("number", last.bits_per_byte),
        first_bits_per_byte=exact("number", rows[0][1].bits_per_byte),
        held_out_tokens=exact("integer", last.tokens),
        held_out_bytes=exact("integer", last.bytes),
        steps=steps,
        tokens=[read * plan.model.sequence_length for read in plan.training.batches.all_after(steps)],
        losses=[_finite(source.loss) for _, source in rows],
        bits=[_finite(source.bits_per_byte) for _, source in rows],
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _of(scores: TaskScores, task: str) -> TaskScore | None:
    return next((score for score in scores.scores if score.task == task), None)


def _task(task: TaskItems, answered: list[TaskScores]) -> TaskFacts:
    rows = [(each, score) for each in answered if (score := _of(each, task.task)) is not None]
    points, first = [_point(each, score) for each, score in rows], rows[0][1]
    moved = [each for each, score in rows if _paired(score).high < _paired(first).low]
    left = [each for each, score in rows if score.discrete.low > task.chance]
    return TaskFacts(
        task=task.task,
        items=exact("integer", task.items),
        discrete_name=first.discrete.name,
        discrete_meaning=task.discrete,
        graded_name=first.continuous[-1].name,
        paired_name=_paired(first).name,
        chance=exact("share", task.chance),
        chance_basis=task.chance_basis,
        points=points,
        moved_at=exact("count", moved[0].tokens) if moved else None,
        left_chance_at=exact("count", left[0].tokens) if left else None,
        link=link_test(
            [score.discrete.value for _, score in rows],
            [_paired(score).value for _, score in rows],
            task.items,
            task.chance,
            left=bool(left),
        ),
    )


def _paired(score: TaskScore) -> Measured:
    """What the discrete metric is a threshold on: of choices how they compare, else how likely the answer is.

    The likelihood of the right choice alone does not say which choice is the likeliest.
    """
    last = score.continuous[-1]
    return last if last.name == "Brier score" else score.measure("nats per byte")


def _point(answered: TaskScores, score: TaskScore) -> TaskPoint:
    graded = score.continuous[-1]
    return TaskPoint(
        step=answered.step,
        tokens=answered.tokens,
        discrete=_figure("share", score.discrete),
        probability=_figure("share", score.measure("probability")),
        nats_per_byte=_figure("ratio", score.measure("nats per byte")),
        graded=_figure(_GRADED[graded.name], graded),
        paired=_figure("ratio", _paired(score)),
    )


def _figure(kind: str, measured: Measured) -> Figure:
    """A mean with its 95 % interval."""
    ends = _ends(measured)
    if not all(map(math.isfinite, ends)):
        return exact(kind, math.nan)
    text, between = FORMATS[kind](measured.value), interval(kind, *ends)
    if between == text:
        return exact(kind, measured.value)
    shown = between.removesuffix(" %") if kind == "share" else between
    return Figure(
        value=measured.value,
        low=measured.low,
        high=measured.high,
        text=text,
        interval=between,
        full=f"{text} ({shown})",
    )


def _ends(measured: Measured) -> Sequence[float]:
    return measured.value, measured.low, measured.high
