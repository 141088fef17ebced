"""Batch, learning rate and the rest of the optimizer, by a cited law and cited practice."""

from dataclasses import dataclass

from sixnd.planner.batch_scaling import scale_factor
from sixnd.planner.hyperparameter_laws import Choice, Point, choice, choices
from sixnd.planner.mup import planned_mup, standard_init_std
from sixnd.planner.schedule import final_rate, scheduled_steps
from sixnd.planner.transformer import Transformer
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import ContradictionError, Problem
from sixnd.specs.plan import PlannedTraining, Precision
from sixnd.specs.step_batches import StepBatches

ADAM_BETA1, ADAM_BETA2, ADAM_EPS = 0.9, 0.95, 1e-8
ADAM_SOURCE = (
    "Llama 2 (Touvron et al. 2023, §2.2) takes β 0.9 and 0.95, weight decay 0.1, clipping at 1.0; ε 1e-8 is Adam's own"
)
INIT_SOURCE = "small init, √(2/(5h)): Nguyen and Salazar 2019, §2.2"

LARGEST_RATE = 1e-2
CUT_SOURCE = (
    "rule: no law's rate above 0.01 is taken. Laws of N ask for more in models far smaller than those they were fitted "
    "on: 0.14M parameters on 0.7M tokens ended at 3.70 and 3.86 nats (two seeds) with Step Law's 0.037, at 3.42 and "
    "3.44 with 0.02, at 3.22 and 3.22 with 0.01 (measured on a CPU, 2026-11-25)"
)
_BATCH_SLACK = 0.01
"""How far a batch that is no whole number of sequences may move from what was asked."""
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


def lawful_batch_tokens(law_name: str, point: Point) -> float:
    """Batch in tokens by the hyper-parameter law.

    Raises ``ContradictionError`` where the law gives none.
    """
    found = choice(law_name, point)
    if found.batch_tokens is None:
        raise _gives_none(found, "training.global_batch", [c for c in _all(point) if c.batch_tokens is not None])
    return found.batch_tokens


def lawful_learning_rate(law_name: str, point: Point) -> float:
    """Peak learning rate by the hyper-parameter law, at its own batch.

    Raises ``ContradictionError`` where the law gives none, or none that can be used.
    """
    found = choice(law_name, point)
    if found.learning_rate is None:
        raise _gives_none(found, "training.learning_rate", [c for c in _all(point) if c.learning_rate is not None])
    return found.learning_rate


def _all(point: Point) -> list[Choice]:
    return choices(point.params, point.tokens, point.loss)


def _gives_none(found: Choice, field: str, others: list[Choice]) -> ContradictionError:
    names = ", ".join(other.law for other in others)
    message = f"{found.law} cannot choose {field}: {found.why_not}"
    do = f"give {field}, or another law ({names})"
    return ContradictionError(Problem(("hyperparameter_law",), message, do, also=(tuple(field.split(".")),)))


def global_batch(spec: BudgetSpec, point: Point) -> Batch:
    """Sequences in one step: the spec's, or the law's rounded so that it divides over the cluster.

    The law's batch is rounded to a multiple of the odd part of the cluster (or of the pinned DP × micro-batch) times
    the largest power of two within half of it.
    """
    length = spec.model.sequence_length
    if spec.training.global_batch is not None:
        return Batch(whole_sequences(spec.training.global_batch / length), spec.training.global_batch)
    wanted = lawful_batch_tokens(spec.hyperparameter_law, point)
    sequences = wanted / length
    grain = _base_grain(spec)
    while 2 * grain <= sequences / _BATCH_GRAIN:
        grain *= 2
    return Batch(max(1, round(sequences / grain)) * grain, wanted)


def whole_sequences(asked: float, slack: float = _BATCH_SLACK) -> int:
    """The nearest number of sequences; where none is asked for exactly, one within ``slack`` of it that splits best.

    A batch of 15,381 sequences divides over few layouts, one of 15,360 over very many.
    """
    if asked == round(asked) or asked < 1:
        return max(1, round(asked))
    grain = 1 << round(asked).bit_length()
    while abs(round(asked / grain) * grain / asked - 1) > slack and grain > 1:
        grain //= 2
    return round(asked / grain) * grain


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


@dataclass(frozen=True)
class PeakRate:
    """The peak learning rate and how it came about."""

    value: float
    lawful: float | None = None
    """By the law, at its own batch; none where the spec gives the rate."""
    lawful_batch_tokens: float | None = None
    """The law's own batch; none where the batch is the law's, or the law gives none."""
    uncut: float | None = None
    """What it would be without ``LARGEST_RATE``; none where that does not bind."""


def peak_rate(spec: BudgetSpec, point: Point, batch_tokens: float) -> PeakRate:
    """The peak learning rate: the spec's; or the law's, scaled from the law's batch to a pinned one."""
    asked = spec.training
    if asked.learning_rate is not None:
        return PeakRate(asked.learning_rate)
    lawful = lawful_learning_rate(spec.hyperparameter_law, point)
    own = choice(spec.hyperparameter_law, point).batch_tokens
    if asked.global_batch is None or own is None:
        return _cut(lawful, lawful, None)
    return _cut(lawful * scale_factor(asked.batch_scaling, batch_tokens, own), lawful, own)


def _cut(value: float, lawful: float, own_batch: float | None) -> PeakRate:
    return PeakRate(min(value, LARGEST_RATE), lawful, own_batch, value if value > LARGEST_RATE else None)


def training(
    spec: BudgetSpec, precision: Precision, model: Transformer, point: Point, steps: int, batches: StepBatches
) -> PlannedTraining:
    """The optimizer's settings for so many steps of these batches; ``point`` is where the laws are asked."""
    t = spec.training
    rate = peak_rate(spec, point, batches.full * model.sequence)
    ends = scheduled_steps(t, steps)
    return PlannedTraining(
        steps=steps,
        global_batch=batches.full,
        learning_rate=rate.value,
        final_learning_rate=final_rate(t, rate.value, steps),
        warmup_steps=ends.rising,
        schedule=t.schedule,
        decay_steps=ends.falling,
        cooldown=t.cooldown,
        weight_decay=t.weight_decay,
        adam_beta1=ADAM_BETA1,
        adam_beta2=ADAM_BETA2,
        adam_eps=ADAM_EPS,
        clip_grad_norm=t.clip_grad_norm,
        init_std=standard_init_std(model.hidden),
        precision=precision,
        seed=t.seed,
        mup=planned_mup(t, model.hidden, model.head_dim),
        z_loss=t.z_loss,
        deterministic=t.deterministic,
        weight_decay_embeddings=t.weight_decay_embeddings,
        fp8_recipe="tensorwise" if precision == "fp8" else None,
        batch_stages=list(batches.stages),
        ramp_learning_rate="schedule" if t.batch_ramp is None else t.batch_ramp.learning_rate,
    )
