"""Least value of a smooth function of one to three variables by a grid that closes in: no gradients, no start."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ROUNDS = 1000
_CLOSING = 9
"""Points a side of the grids after the first."""


def least(
    function: Callable[[Array], Array], low: Array, high: Array, points: int = 33, tolerance: float = 1e-9
) -> tuple[Array, float]:
    """The point of the box ``low`` … ``high`` where ``function`` is least, and its value there.

    ``function`` takes points (m, k) and gives (m,); NaN counts as infinite. The first grid, ``points`` a side, must
    be fine enough to tell the deepest basin. After each grid the box halves around the best point; where that point
    lies at the box's edge the box only moves, so that curved valleys are followed. It ends at ``tolerance`` of its
    first size. Rounding blurs where a flat minimum lies (to about the root of 1e-16), never how low it is.
    """
    floor, ceiling = np.asarray(low, float), np.asarray(high, float)
    box = (floor, ceiling)
    best, value = (floor + ceiling) / 2, np.inf
    for _ in range(_ROUNDS):
        grid = _grid(*box, points)
        values = np.nan_to_num(function(grid), nan=np.inf, posinf=np.inf)
        if values.min() < value:
            best, value = grid[np.argmin(values)], float(values.min())
        half = (box[1] - box[0]) / (4 if _inside(best, box, floor, ceiling) else 2)
        box = (np.maximum(best - half, floor), np.minimum(best + half, ceiling))
        points = _CLOSING
        if np.all(2 * half <= tolerance * (ceiling - floor)):
            break
    return best, value


def _inside(best: Array, box: tuple[Array, Array], floor: Array, ceiling: Array) -> bool:
    """Whether the best point lies off every edge of the box that is not an edge of the whole."""
    at_low = (best <= box[0]) & (box[0] > floor)
    at_high = (best >= box[1]) & (box[1] < ceiling)
    return not bool(np.any(at_low | at_high))


def _grid(low: Array, high: Array, points: int) -> Array:
    axes = [np.linspace(a, b, points) for a, b in zip(low, high, strict=True)]
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
