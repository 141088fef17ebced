"""The curves of a run, thinned so that their spikes stay."""

import math
from collections.abc import Callable

from sixnd.reports.decimate import keep
from sixnd.reports.documents import Series
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord, Step

_OF_STEPS: list[tuple[str, str, str, Callable[[Step], float]]] = [
    ("loss", "Training loss", "nats per token", lambda step: step.loss),
    ("grad_norm", "Gradient norm", "before clipping", lambda step: step.grad_norm),
    ("learning_rate", "Learning rate", "", lambda step: step.learning_rate),
    ("tokens_per_s", "Tokens per second", "tokens/s", lambda step: step.tokens_per_s),
]


def all_series(plan: Plan, record: RunRecord) -> list[Series]:
    """Training loss, gradient norm, learning rate, tokens/s and validation loss against steps and tokens."""
    steps = record.steps()
    numbers, tokens = [step.step for step in steps], [step.tokens for step in steps]
    curves = [
        _series(key, label, unit, numbers, tokens, [value(step) for step in steps])
        for key, label, unit, value in _OF_STEPS
    ]
    return [*curves, _validation(plan, record, dict(zip(numbers, tokens, strict=True)))]


def _validation(plan: Plan, record: RunRecord, tokens_at: dict[int, int]) -> Series:
    validations = record.validations()
    return _series(
        "validation_loss",
        "Validation loss",
        "nats per token",
        [validation.step for validation in validations],
        [tokens_at.get(validation.step, plan.tokens_after(validation.step)) for validation in validations],
        [validation.loss for validation in validations],
    )


def _series(key: str, label: str, unit: str, steps: list[int], tokens: list[int], values: list[float]) -> Series:
    kept = [int(index) for index in keep(values)]
    return Series(
        key=key,
        label=label,
        unit=unit,
        steps=[steps[i] for i in kept],
        tokens=[tokens[i] for i in kept],
        values=[values[i] if math.isfinite(values[i]) else None for i in kept],
        recorded=len(values),
    )
