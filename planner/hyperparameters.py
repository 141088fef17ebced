"""Batch, learning rate and the rest of the optimizer, by a cited law and cited practice."""

import math
from dataclasses import dataclass

from sixnd.specs import catalog
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.plan import PlannedTraining, Precision

ADAM_BETA1, ADAM_BETA2, ADAM_EPS = 0.9, 0.95, 1e-8
ADAM_SOURCE = (
    "Llama 2 (Touvron et al. 2023, §2.2) takes β 0.9 and 0.95, weight decay 0.1, clipping at 1.0; ε 1e-8 is Adam's own"
)
INIT_SOURCE = "small init, √(2/(5h)): Nguyen and Salazar 2019, §2.2"

_BATCH_GRAIN = 2
"""A batch is rounded to two to four times a power of two: then it divides over many replicas and micro-batches."""


@dataclass(frozen=True)
class Batch:
    """Sequences in one step, and what was asked for."""

    sequences: int
    wanted_tokens: float
    """By the law or by the spec, before rounding."""

    def deviation(self, sequence_length: int) -> float:
        """Relative difference between the batch and what was wanted."""
        return self.sequences * sequence_length / self.wanted_tokens - 1


def lawful_batch_tokens(law_name: str, params_non_embedding: float, tokens: float) -> float:
    """Batch in tokens by the hyper-parameter law."""
    law = catalog.hyperparameter_law(law_name)
    return float(law.batch_coefficient * params_non_embedding**law.batch_params * tokens**law.batch_tokens)


def lawful_learning_rate(law_name: str, params_non_embedding: float, tokens: float) -> float:
    """Peak learning rate by the hyper-parameter law."""
    law = catalog.hyperparameter_law(law_name)
    return float(law.lr_coefficient * params_non_embedding**law.lr_params * tokens**law.lr_tokens)


def global_batch(spec: BudgetSpec, params_non_embedding: float, tokens: float) -> Batch:
    """Sequences in one step: the spec's, or the law's rounded so that it divides over the cluster.

    The law's batch is rounded to a multiple of the odd part of the cluster (or of the pinned DP × micro-batch) times
    the largest power of two within half of it.
    """
    length = spec.model.sequence_length
    if spec.training.global_batch is not None:
        return Batch(max(1, round(spec.training.global_batch / length)), spec.training.global_batch)
    wanted = lawful_batch_tokens(spec.hyperparameter_law, params_non_embedding, tokens)
    sequences = wanted / length
    grain = _base_grain(spec)
    while 2 * grain <= sequences / _BATCH_GRAIN:
        grain *= 2
    return Batch(max(1, round(sequences / grain)) * grain, wanted)


def _base_grain(spec: BudgetSpec) -> int:
    """Smallest number of sequences that a batch must be a multiple of."""
    layout, count = spec.layout, spec.accelerators.count
    micro_batch = layout.micro_batch or 1
    if layout.data is not None:
        return layout.data * micro_batch
    ranks = count // ((layout.tensor or 1) * (layout.pipeline or 1))
    odd = ranks
    while odd % 2 == 0:
        odd //= 2
    return odd * micro_batch


def training(
    spec: BudgetSpec, precision: Precision, hidden: int, params_non_embedding: float, steps: int, batch: int
) -> PlannedTraining:
    """The optimizer's settings for so many steps of so many sequences."""
    t = spec.training
    tokens = steps * batch * spec.model.sequence_length
    rate = t.learning_rate or lawful_learning_rate(spec.hyperparameter_law, params_non_embedding, tokens)
    warmup = min(round(t.warmup_fraction * steps), steps - 1)
    falling = steps - warmup if t.schedule == "cosine" else max(1, round(t.decay_fraction * steps))
    return PlannedTraining(
        steps=steps,
        global_batch=batch,
        learning_rate=rate,
        final_learning_rate=rate * t.final_lr_fraction,
        warmup_steps=warmup,
        schedule=t.schedule,
        decay_steps=falling,
        weight_decay=t.weight_decay,
        adam_beta1=ADAM_BETA1,
        adam_beta2=ADAM_BETA2,
        adam_eps=ADAM_EPS,
        clip_grad_norm=t.clip_grad_norm,
        init_std=math.sqrt(2 / (5 * hidden)),
        precision=precision,
        seed=t.seed,
    )
