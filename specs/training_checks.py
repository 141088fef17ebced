"""Contradictions of how a model is trained."""

from sixnd.specs.budget import Training
from sixnd.specs.errors import Problem


def training_problems(asked: Training) -> list[Problem]:
    """Settings of the section ``training`` that cannot hold together."""
    return _schedule(asked)


def _schedule(asked: Training) -> list[Problem]:
    problems = []
    if asked.warmup_fraction + asked.decay_fraction > 1 and asked.schedule != "cosine":
        message, also = "warmup_fraction + decay_fraction is above 1", (("training", "warmup_fraction"),)
        problems.append(Problem(("training", "decay_fraction"), message, "lower one of them", also=also))
    if asked.schedule == "inverse-square-root" and not asked.warmup_fraction:
        message, do = "an inverse square root is counted in warm-ups", "give a warmup_fraction above 0"
        problems.append(Problem(("training", "warmup_fraction"), message, do, also=(("training", "schedule"),)))
    return problems
