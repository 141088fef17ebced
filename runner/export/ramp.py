"""A batch ramp for Megatron-LM, which grows a batch by equal increments and then counts everything in samples.

Its rule is ``RampupBatchsizeNumMicroBatchesCalculator`` of Megatron-core 0.16 (``--rampup-batch-size``), and with it
``pretrain_gpt.py`` takes no count of iterations: length and learning rate are given in samples.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from sixnd.specs.plan import Plan, PlannedTraining

IN_ITERATIONS = ("--train-iters", "--lr-warmup-iters", "--lr-decay-iters", "--lr-wsd-decay-iters")


@dataclass(frozen=True)
class Rampup:
    """What ``--rampup-batch-size`` takes, and the full batch."""

    start: int
    increment: int
    samples: int
    full: int

    def batch(self, read: int) -> int:
        """The batch of a step that begins with so many samples read, in Megatron's own arithmetic."""
        if read > self.samples:
            return self.full
        each = self.samples / ((self.full - self.start) // self.increment)
        return self.start + int(read / each) * self.increment


def rampup(training: PlannedTraining) -> Rampup | None:
    """The ramp by equal increments that gives every step its planned batch; none where there is no such one."""
    stages, batches = training.batch_stages, training.batches
    start, full = stages[0].global_batch, training.global_batch
    increment = math.gcd(*(stage.global_batch - start for stage in stages[1:]))
    # A stage of k increments holds from k · p samples on, up to (k + 1) · p: bounds of p, the samples of an increment.
    low, high = Fraction(0), Fraction(batches.samples_after(training.steps))
    for stage in stages:
        grown = (stage.global_batch - start) // increment
        if grown:
            high = min(high, Fraction(batches.samples_after(stage.first_step - 1), grown))
        if stage is not stages[-1]:
            low = max(low, Fraction(batches.samples_after(stage.last_step - 1), grown + 1))
    count = (full - start) // increment
    edges = {step for stage in stages for step in (stage.first_step, stage.last_step)}
    # In the middle Megatron's floating point is furthest from both bounds; the upper one is often the ramp asked for.
    for samples in (math.floor((low + high) / 2 * count), math.floor(high * count)):
        found = Rampup(start, increment, samples, full)
        if samples and all(found.batch(batches.samples_after(step - 1)) == batches.of_step(step) for step in edges):
            return found
    return None


def obstacles(training: PlannedTraining) -> list[str]:
    """Why Megatron-LM cannot train with this ramp as planned; nothing where it can, or there is none."""
    stages = training.batch_stages
    if len(stages) < 2:
        return []
    found = []
    if rampup(training) is None:
        found.append(
            "its batch does not grow by equal increments over as many samples each, as --rampup-batch-size does"
        )
    if training.ramp_learning_rate == "square-root":
        found.append("its learning rate follows the square root of the batch (batch_ramp.learning_rate)")
    constant = training.schedule == "wsd" and training.warmup_steps <= stages[0].last_step
    if not constant or training.steps - training.decay_steps < stages[-1].first_step - 1:
        found.append(
            "its learning rate is counted in steps, and Megatron-LM counts samples where the batch grows; they agree "
            "with schedule wsd, a warm-up within the first stage and a cooldown after the last"
        )
    return found


def in_samples(plan: Plan) -> dict[str, str | list[str]]:
    """Length, learning rate and ramp as arguments in samples, in place of those ``IN_ITERATIONS``."""
    training, read = plan.training, plan.training.batches.samples_after
    ramp, total = rampup(training), read(training.steps)
    assert ramp is not None, "refused before"
    return {
        "--train-samples": str(total),
        "--lr-warmup-samples": str(read(training.warmup_steps)),
        "--lr-decay-samples": str(total),
        "--lr-wsd-decay-samples": str(total - read(training.steps - training.decay_steps)),
        "--rampup-batch-size": [str(number) for number in (ramp.start, ramp.increment, ramp.samples)],
    }
