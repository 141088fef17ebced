"""A run's record with evaluations: a likelihood that improves steadily, and a share of right items made from it."""

import math
from collections.abc import Callable

import numpy as np

from sixnd.specs.evaluation_record import (
    Measured,
    SourceLoss,
    SourceLosses,
    TaskItems,
    TaskScore,
    TaskScores,
    TasksWritten,
)
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord

ITEMS = 200
Share = Callable[[float], float]


def smooth(progress: float) -> float:
    """Ten tokens that must all be right: a threshold on a likelihood that rises steadily."""
    return (0.2 + 0.78 * progress) ** 10


def jump(progress: float) -> float:
    """Nothing, then everything, then a little less: no monotone function of the likelihood."""
    return 0.02 if progress < 0.45 else 0.97 if progress < 0.8 else 0.4


def with_evaluations(
    plan: Plan, record: RunRecord, share: Share = smooth, tasks: tuple[str, ...] = ("copying", "choice")
) -> RunRecord:
    """The record with each validation's evaluations behind it; cloze gives no item."""
    steps = [validation.step for validation in record.validations()]
    events = [*record.events, _written(tasks)]
    for number, step in enumerate(steps):
        progress = number / (len(steps) - 1)
        events += [_sources(plan, step, progress), _scores(plan, step, progress, share, tasks)]
    return RunRecord(events=events)


def _written(tasks: tuple[str, ...]) -> TasksWritten:
    told = [
        TaskItems(task=task, items=ITEMS, discrete="is right", chance=chance, chance_basis="a draw")
        for task, chance in zip(tasks, (0.005, 0.25), strict=False)
    ]
    none = TaskItems(task="cloze", items=0, discrete="is right", chance=0, chance_basis="a draw")
    return TasksWritten(path="data/items.jsonl", sha256="cd" * 32, tasks=[*told, none])


def _sources(plan: Plan, step: int, progress: float) -> SourceLosses:
    sources = [
        SourceLoss(
            name=source.name,
            loss=(loss := 5.0 - number - 2 * progress),
            tokens=4096,
            bytes=15_000,
            bits_per_byte=loss * 4096 / 15_000 / math.log(2),
        )
        for number, source in enumerate(plan.data.sources)
    ]
    return SourceLosses(attempt=1, step=step, sources=sources, seconds=1.5)


def _scores(plan: Plan, step: int, progress: float, share: Share, tasks: tuple[str, ...]) -> TaskScores:
    scores = [_score(task, progress, share) for task in tasks]
    tokens = step * plan.training.global_batch * plan.model.sequence_length
    return TaskScores(attempt=1, step=step, tokens=tokens, scores=scores, seconds=2.5)


def _graded(task: str, progress: float) -> Measured:
    if task != "choice":
        return Measured(name="tokens right", value=progress, low=progress, high=progress, better="higher")
    brier = 0.75 - 0.6 * progress
    return Measured(name="Brier score", value=brier, low=brier - 0.05, high=brier + 0.05, better="lower")


def _score(task: str, progress: float, share: Share) -> TaskScore:
    chance, name = (0.25, "accuracy") if task == "choice" else (0.005, "exact match")
    right = round(ITEMS * (chance + (1 - chance) * share(progress)))
    value = right / ITEMS
    spread = 1.96 * math.sqrt(value * (1 - value) / ITEMS) + 0.005
    nats = float(np.interp(progress, [0, 1], [2.4, 0.4]))
    return TaskScore(
        task=task,
        items=ITEMS,
        discrete=Measured(
            name=name, value=value, low=max(0, value - spread), high=min(1, value + spread), better="higher"
        ),
        continuous=[
            Measured(
                name="probability",
                value=share(progress) * 0.9,
                low=share(progress) * 0.8,
                high=share(progress),
                better="higher",
            ),
            Measured(name="nats per byte", value=nats, low=nats - 0.1, high=nats + 0.1, better="lower"),
            _graded(task, progress),
        ],
    )
