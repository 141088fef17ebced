"""The curves of a run, thinned so that their spikes stay."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sixnd.reports.decimate import keep
from sixnd.reports.documents import Series
from sixnd.reports.step_table import StepTable
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord

_OF_STEPS = [
    ("loss", "Training loss", "nats per token"),
    ("grad_norm", "Gradient norm", "before clipping"),
    ("learning_rate", "Learning rate", ""),
    ("tokens_per_s", "Tokens per second", "tokens/s"),
    ("mfu", "MFU", "share of peak"),
]


def all_series(plan: Plan, record: RunRecord, steps: StepTable) -> list[Series]:
    """Loss, gradient norm, learning rate, tokens/s, MFU and validation loss against steps and tokens."""
    numbers, tokens = steps.step[steps.current], steps.tokens[steps.current]
    curves = [
        _series(key, label, unit, numbers, tokens, getattr(steps, key)[steps.current]) for key, label, unit in _OF_STEPS
    ]
    return [*curves, _validation(plan, record)]


def _validation(plan: Plan, record: RunRecord) -> Series:
    validations = record.validations()
    steps = np.array([validation.step for validation in validations], dtype=np.int64)
    tokens = np.array([plan.tokens_after(validation.step) for validation in validations], dtype=np.int64)
    losses = [validation.loss for validation in validations]
    return _series("validation_loss", "Validation loss", "nats per token", steps, tokens, losses)


def _series(
    key: str, label: str, unit: str, steps: NDArray[np.int64], tokens: NDArray[np.int64], values: ArrayLike
) -> Series:
    all_values = np.asarray(values, dtype=np.float64)
    kept = keep(all_values)
    return Series(
        key=key,
        label=label,
        unit=unit,
        steps=steps[kept].tolist(),
        tokens=tokens[kept].tolist(),
        values=[value if math.isfinite(value) else None for value in all_values[kept].tolist()],
        recorded=all_values.size,
    )
