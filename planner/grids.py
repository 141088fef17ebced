"""The usual ladders: a uniform grid of N × D, and isoFLOP curves, both stretched to spend a given budget."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sixnd.planner.design import Points
from sixnd.planner.laws import CHINCHILLA_RATIO, Array

GRID_RATIO_SPAN, GRID_SIZE_SPAN = 16.0, 16.0
"""Largest over smallest D/N, and largest over smallest N, of the uniform grid: 5 to 80 tokens per parameter."""
CURVE_SPANS = (64.0, 32.0, 16.0, 8.0, 4.0)
"""Largest over smallest budget of the isoFLOP curves, as tried: three decades would leave the smallest without a sane
model."""
_PARABOLA_SIZES = 3
"""Different models that a curve needs for its minimum to be seen."""


@dataclass(frozen=True)
class Sizes:
    """The models a ladder may be made of: N in rising order, and what a token costs each."""

    params: Array
    flops_per_token: Array

    def nearest(self, params: Array) -> "Sizes":
        """The model nearest by ratio to each of ``params``."""
        at = np.abs(np.log(self.params) - np.log(params)[:, None]).argmin(axis=1)
        return Sizes(self.params[at], self.flops_per_token[at])

    def points(self, tokens: Array) -> Points:
        """Each model on its own count of tokens."""
        return Points(self.params, tokens, self.flops_per_token * tokens)


def uniform_grid(
    sizes: Sizes, ratios: Sequence[float], budget: float, runs: int, size_span: float = GRID_SIZE_SPAN
) -> Points:
    """Log-spaced sizes × log-spaced tokens per parameter around 20, within ``ratios``; at most ``runs`` of them."""
    rows, columns = _factors(runs)
    each = np.geomspace(*_within(CHINCHILLA_RATIO, GRID_RATIO_SPAN, ratios), columns)
    steps = np.geomspace(1 / size_span, 1, rows)
    largest = np.sqrt(budget / (6 * np.sum(steps**2) * np.sum(each)))
    models = sizes.nearest(np.repeat(largest * steps, columns))
    return _spending(models, models.params * np.tile(each, rows), budget)


def isoflop_curves(sizes: Sizes, ratios: Sequence[float], budget: float, runs: int) -> Points:
    """Curves of equal compute, log-spaced; on each, sizes log-spaced over all of ``ratios``.

    They span as much compute as leaves each of them a parabola: of a small budget only the smallest models are left.
    Where no span does, it is the one with the most different runs.
    """
    tried = [_curves(sizes, ratios, budget, runs, span) for span in CURVE_SPANS]
    whole = (found for found in tried if _fewest_sizes(found, runs) >= _PARABOLA_SIZES)
    return next(whole, max(tried, key=_different))


def _curves(sizes: Sizes, ratios: Sequence[float], budget: float, runs: int, span: float) -> Points:
    points, curves = _factors(runs)
    each = np.geomspace(1 / span, 1, curves)
    compute = np.repeat(each * budget / (points * each.sum()), points)
    wanted = np.sqrt(compute / 6 / np.tile(np.geomspace(ratios[0], ratios[1], points), curves))
    models = sizes.nearest(wanted)
    return _spending(models, compute / models.flops_per_token, budget)


def _fewest_sizes(found: Points, runs: int) -> int:
    """Different models on the curve that has the fewest."""
    curves = np.sort(found.params.reshape(_factors(runs)[::-1]), axis=1)
    return int(np.min(1 + np.count_nonzero(np.diff(curves, axis=1), axis=1)))


def _different(found: Points) -> int:
    return len(np.unique(np.stack([found.params, found.tokens]), axis=1).T)


def _spending(models: Sizes, tokens: Array, budget: float) -> Points:
    """The points with all token counts scaled by one factor, so that together they cost the budget."""
    return models.points(tokens * budget / float(np.sum(models.flops_per_token * tokens)))


def _within(center: float, span: float, ratios: Sequence[float]) -> tuple[float, float]:
    return max(center / span**0.5, ratios[0]), min(center * span**0.5, ratios[1])


def _factors(runs: int) -> tuple[int, int]:
    """The most nearly square grid of as many of ``runs`` as possible: rows, then columns, not more of these."""
    grids = [(runs // columns, columns) for columns in range(2, int(runs**0.5) + 1)]
    return max(grids, key=lambda grid: (grid[0] * grid[1], grid[1]))
