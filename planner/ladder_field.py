"""Which runs a ladder may consist of: shapes of the lattice × tokens per parameter, within what a rung may cost."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sixnd.planner import laws
from sixnd.planner.architecture import Candidate
from sixnd.planner.design import Limits, Points
from sixnd.planner.draft import Drafter
from sixnd.planner.grids import Sizes
from sixnd.planner.machine import machine_of
from sixnd.planner.rungs import batch_tokens
from sixnd.specs.budget import BudgetSpec

LARGEST_SHARE = 0.25
"""No rung may cost more of the ladder: one that fails must not take the ladder with it."""
SIZE_SPAN = 64.0
"""Largest over smallest N: a law holds over a limited range, and far below the target it speaks of other models."""
FEWEST_STEPS = 100
"""Steps of the shortest rung: warm-up and decay need some to be those of a longer run."""
SMALLEST_INNER_SHARE = 0.2
"""Share of N outside the embeddings, at least: a model that is nearly all vocabulary follows no law of N. Our rule."""
FEWEST_SIZES, FEWEST_POINTS = 3, 6
_LENIENCE = 0.05
"""A grid's sizes are rounded to real shapes, and so its tokens per parameter."""
_SIZES, _RATIOS = 24, 9
"""Sizes, and tokens per parameter, that the search chooses from."""


@dataclass(frozen=True)
class Field:
    """The models and token counts that the rungs of one target may have."""

    shared: BudgetSpec
    """What all rungs have in common."""
    ratios: tuple[float, float]
    """Smallest and largest tokens per parameter."""

    @cached_property
    def _drafter(self) -> Drafter:
        return Drafter(self.shared, machine_of(self.shared))

    @cached_property
    def lattice(self) -> list[Candidate]:
        """Shapes with the target's vocabulary that are more than an embedding, in rising order of N, each N once."""
        fitting = [c for c in self._drafter.lattice if _inner_share(c) >= SMALLEST_INNER_SHARE]
        return list({c.model.params: c for c in reversed(fitting)}.values())[::-1]

    @cached_property
    def sizes(self) -> Sizes:
        """N and cost of a token of every shape, as the budget counts FLOPs."""
        cost = [self._drafter.flops_per_token(c) for c in self.lattice]
        return Sizes(np.array([c.model.params for c in self.lattice], dtype=float), np.array(cost))

    def possible(self, budget: float) -> Points:
        """Runs that a ladder of such a budget (FLOPs) may choose from."""
        largest = LARGEST_SHARE * budget
        models = self._log_spaced(largest)
        ratios = np.geomspace(*self.ratios, _RATIOS)
        at = np.repeat(np.array(models, dtype=int), _RATIOS)
        sizes = Sizes(self.sizes.params[at], self.sizes.flops_per_token[at])
        points = sizes.points(sizes.params * np.tile(ratios, len(models)))
        kept = [i for i in range(len(points)) if points.cost[i] <= largest and self._long_enough(points, i)]
        return points.take(kept)

    def breaks(self, points: Points, budget: float) -> list[str]:
        """Which limits of a rung such runs do not keep, in words."""
        largest, ratios = float(points.cost.max() / budget), points.tokens / points.params
        short = sum(not self._long_enough(points, i) for i in range(len(points)))
        outside = int(np.sum((ratios < self.ratios[0] * (1 - _LENIENCE)) | (ratios > self.ratios[1] * (1 + _LENIENCE))))
        said = {
            f"its largest run takes {largest:.0%} of the cost (at most {LARGEST_SHARE:.0%})": largest > LARGEST_SHARE,
            f"{short} runs are shorter than {FEWEST_STEPS} steps": short,
            f"{outside} runs lie outside {self.ratios[0]:g} to {self.ratios[1]:g} tokens per parameter": outside,
        }
        return [words for words, holds in said.items() if holds]

    def models(self, points: Points) -> list[tuple[Candidate, float]]:
        """Points as models and their tokens."""
        index = np.searchsorted(self.sizes.params, points.params)
        return [(self.lattice[i], float(tokens)) for i, tokens in zip(index, points.tokens, strict=True)]

    def _log_spaced(self, largest_cost: float) -> list[int]:
        """Places of at most so many shapes as the search takes, from the largest affordable one down."""
        params = self.sizes.params
        affordable = self.sizes.flops_per_token * params * self.ratios[0] <= largest_cost
        if not affordable.any():
            return []
        top = params[affordable].max()
        wanted = np.geomspace(max(top / SIZE_SPAN, params[0]), top, _SIZES)
        return sorted({int(np.abs(np.log(params / N)).argmin()) for N in wanted})

    def _long_enough(self, points: Points, i: int) -> bool:
        tokens = float(points.tokens[i])
        ((candidate, _),) = self.models(points.take([i]))
        loss = laws.loss(self.shared.planning_law.law, candidate.model.params, tokens)
        return tokens >= FEWEST_STEPS * batch_tokens(self.shared, candidate, tokens, loss)


def _inner_share(candidate: Candidate) -> float:
    return candidate.model.params_non_embedding / candidate.model.params


def is_enough(possible: Points, limits: Limits) -> bool:
    """Whether a law can be fitted to what the limits pay for: sizes, points, and the cheapest ladder."""
    cheapest = np.sort(np.repeat(possible.cost, limits.replicates))[: limits.runs]
    affordable = len(cheapest) == limits.runs and float(cheapest.sum()) <= limits.budget
    return affordable and len(possible) >= FEWEST_POINTS and np.unique(possible.params).size >= FEWEST_SIZES
