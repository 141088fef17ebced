"""What a spec asks of its law: the surface, the worth of its data, and what the model will serve."""

from statistics import NormalDist

import numpy as np

from sixnd.planner import laws
from sixnd.planner.allocation import FullWorth, Question, Worth, served_tokens
from sixnd.planner.annealing import overall_shares
from sixnd.planner.laws import Array, Numbers, Surface
from sixnd.planner.mix import repetition
from sixnd.planner.repetition import Repetition
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.checks import price_usd_per_hour

_SEED = 20230525
_Z95 = NormalDist().inv_cdf(0.975)


def question(spec: BudgetSpec, training_mfu: float) -> Question:
    """The question with the law's own constants; ``training_mfu`` prices serving against training."""
    surface = laws.surface(spec.planning_law.law)
    return Question(surface, worth(spec, surface), _served(spec, training_mfu))


def drawn_question(spec: BudgetSpec, training_mfu: float) -> Question:
    """The same with draws of the constants, repetition's among them: one answer a draw."""
    surface = laws.draws(spec.planning_law.law)
    assert surface is not None, "a spec only takes laws that give an interval"
    count = np.size(surface.A)
    return Question(surface, worth(spec, surface, count), _served(spec, training_mfu))


def worth(spec: BudgetSpec, surface: Surface, draws: int = 0) -> Worth:
    """The worth of the spec's data: full where unique tokens are not told, else by the law of repetition."""
    unique = [source.unique_tokens for source in spec.data.counted_sources]
    if any(tokens is None for tokens in unique):
        return FullWorth()
    law = repetition(spec.planning_law)
    generator = np.random.default_rng(_SEED)
    return Repetition(
        overall_shares(spec.data),
        np.array(unique, dtype=float),
        drawn_decay(law.repeated_tokens, law.repeated_tokens_interval, draws, generator),
        drawn_decay(law.excess_params, law.excess_params_interval, draws, generator),
        surface,
    )


def drawn_decay(center: float, interval: list[float], count: int, generator: np.random.Generator) -> Numbers:
    """Draws whose logarithms are normal on either side of the published value, with its 95 % interval."""
    if not count:
        return center
    z: Array = generator.standard_normal(count)
    side = np.where(z < 0, np.log(center / interval[0]), np.log(interval[1] / center))
    drawn: Array = center * np.exp(z * side / _Z95)
    return drawn


def _served(spec: BudgetSpec, training_mfu: float) -> float:
    """Tokens served, weighted by the cost of their FLOPs over training's."""
    serving = spec.inference
    if serving is None:
        return 0.0
    price = price_usd_per_hour(spec)
    dearer = (serving.price_usd_per_accelerator_hour or price) / price if price else 1.0
    return served_tokens(
        serving.input_tokens or 0.0,
        serving.output_tokens or 0.0,
        input_cost=dearer * (training_mfu / serving.input_mfu if serving.input_mfu else 1.0),
        output_cost=dearer * (training_mfu / serving.output_mfu if serving.output_mfu else 1.0),
    )
