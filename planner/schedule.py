"""The learning rate over the steps: how many rise, how many fall at the end, to what, and why."""

import math
from dataclasses import dataclass

from sixnd.specs.budget import Training
from sixnd.specs.plan import Decision, PlannedTraining

COOLDOWN_SOURCE = "Hägele et al. 2024, arXiv:2405.18392"
COSINE_SOURCE = "Hoffmann et al. 2022, appendix B (cosine length, decay to a tenth)"
ROOT_SOURCE = "Vaswani et al. 2017, arXiv:1706.03762, §5.3; with a cooldown: Zhai et al. 2022, arXiv:2106.04560, §3.5"
_SHARE_AT_ONE_HORIZON = 0.2
_FIELDS = {"schedule", "warmup_fraction", "decay_fraction", "final_lr_fraction", "cooldown"}


@dataclass(frozen=True)
class Steps:
    """Steps of the two ends of a schedule."""

    rising: int
    falling: int
    """At the end; of an inverse square root none where it has no cooldown."""


def scheduled_steps(asked: Training, steps: int) -> Steps:
    """Steps of warm-up and of the fall at the end."""
    rising = min(round(asked.warmup_fraction * steps), steps - 1)
    if asked.schedule == "cosine":
        return Steps(rising, steps - rising)
    falling = round(asked.decay_fraction * steps)
    if asked.schedule == "wsd":
        return Steps(rising, max(1, falling))
    rising = max(rising, min(1, steps - 1))  # the root is counted in warm-ups
    return Steps(rising, min(falling, steps - max(1, rising)))


def final_rate(asked: Training, peak: float, steps: int) -> float:
    """Learning rate of the last step.

    An inverse square root without cooldown ends where it is then, unless ``final_lr_fraction`` holds it above.
    """
    ends = scheduled_steps(asked, steps)
    lowest = asked.final_lr_fraction
    if asked.schedule == "inverse-square-root" and ends.falling == 0:
        lowest = root_share(ends.rising, steps, lowest)
    return peak * lowest


def root_share(warmup_steps: int, step: int, lowest: float) -> float:
    """Share of the peak that an inverse square root has fallen to at a step behind its warm-up, at least ``lowest``."""
    warmup = max(warmup_steps, 1)
    return max(lowest, math.sqrt(warmup / max(step, warmup)))


def schedule_decisions(asked: Training, trained: PlannedTraining) -> list[Decision]:
    """The schedule, and what another one would have bought or cost."""
    return [_schedule(asked, trained), _other_schedule(trained)]


def _schedule(asked: Training, trained: PlannedTraining) -> Decision:
    reason, source = _WHY[trained.schedule]
    return Decision(
        what="training.schedule",
        value=f"{trained.schedule}: {trained.warmup_steps:,} steps up, {_down(trained)} "
        f"to {trained.final_learning_rate:.3g}",
        reason=reason,
        source=f"{source}; fractions of the spec",
        pinned=bool(_FIELDS & asked.model_fields_set),
    )


_WHY = {
    "cosine": ("decay over exactly the planned steps: a longer horizon costs loss", COSINE_SOURCE),
    "wsd": (
        "constant, then a cooldown at the end: over about a fifth of the steps it matches cosine",
        COOLDOWN_SOURCE,
    ),
    "inverse-square-root": (
        "falls as √(warm-up / step), which knows no horizon, then a cooldown if one is asked for",
        ROOT_SOURCE,
    ),
}


def _down(trained: PlannedTraining) -> str:
    if trained.schedule == "cosine":
        return f"{trained.decay_steps:,} down"
    if trained.schedule == "inverse-square-root" and not trained.decay_steps:
        return "then down as the root, without cooldown,"
    return f"{trained.decay_steps:,} down ({trained.cooldown})"


def _other_schedule(trained: PlannedTraining) -> Decision:
    cools = trained.schedule != "cosine"
    share = trained.decay_steps / trained.steps if cools else _SHARE_AT_ONE_HORIZON
    horizons = (0.25, 0.5, 1.0)
    cosine, other = sum(horizons), 1 + share * sum(horizons[:-1])
    name = trained.schedule if cools else "wsd"
    before = "of the constant part" if name == "wsd" else "of before the cooldown"
    same = "at one horizon both reach about the same loss; " if name == "wsd" else ""
    return Decision(
        what=f"training.schedule: {name} against cosine",
        value=f"{trained.schedule} for one horizon; for several, {name} costs less",
        reason=(
            f"{same}with {name} the checkpoints {before} serve "
            f"shorter horizons, each for a cooldown of {share:.0%} of its steps: models at a quarter, a half and all "
            f"of these tokens cost {other:.2f} runs with {name}, {cosine:.2f} with cosine"
        ),
        source=f"{COOLDOWN_SOURCE}; the runs are counted, not measured",
    )
