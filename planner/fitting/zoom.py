"""Least values of smooth functions of one to three variables by grids that close in: no gradients, no start."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ROUNDS = 1000
_CLOSING = 9
"""Points a side of the grids after the first."""
_SLOWEST = 0.7
"""A scan that would close in by less than this factor is done."""


def least(
    function: Callable[[Array], Array], low: Array, high: Array, points: int = 33, tolerance: float = 1e-7
) -> tuple[Array, float]:
    """The point of the box ``low`` … ``high`` where ``function`` is least, and its value there.

    ``function`` takes points (m, k) and gives (m,); NaN counts as infinite. The first grid, ``points`` a side, must
    be fine enough to tell the deepest basin. After each grid the box halves around the best point, or around the lowest
    point of a quadratic through the grid if that is better; where it lies at the box's edge the box only moves, so
    that narrow valleys are followed. It ends at ``tolerance`` of its first size. Rounding blurs where a flat minimum
    lies (to about the root of 1e-16), never how low it is.
    """
    floor, ceiling = np.asarray(low, float), np.asarray(high, float)
    box = (floor, ceiling)
    best, value = (floor + ceiling) / 2, np.inf
    for _ in range(_ROUNDS):
        grid = _grid(*box, points)
        values = _finite(function(grid))
        tried = np.vstack([best, grid[np.argmin(values)], np.clip(_vertex(grid, values, *box), floor, ceiling)])
        costs = np.append([value, values.min()], _finite(function(tried[2:])))
        best, value = tried[np.argmin(costs)], float(costs.min())
        half = (box[1] - box[0]) / (4 if _inside(best, box, floor, ceiling) else 2)
        box = (np.maximum(best - half, floor), np.minimum(best + half, ceiling))
        points = _CLOSING
        if np.all(2 * half <= tolerance * (ceiling - floor)):
            break
    return best, value


def scan(
    functions: Callable[[Array], Array], low: Array, high: Array, points: int = 64, resolution: float = 1e-3
) -> Array:
    """Where each of r functions is least, all at once: (r, k).

    ``functions`` takes points (m, k) and gives (m, r). The grid of ``points`` a side closes in on the box that holds
    all the minima, until that no longer helps or its cells are ``resolution`` wide: how finely each is told.
    """
    box = np.asarray(low, float), np.asarray(high, float)
    while True:
        grid = _grid(*box, points)
        found = grid[np.argmin(_finite(functions(grid)), axis=0)]
        cell = (box[1] - box[0]) / (points - 1)
        inner = np.maximum(box[0], found.min(axis=0) - 2 * cell), np.minimum(box[1], found.max(axis=0) + 2 * cell)
        if np.all((inner[1] - inner[0] > _SLOWEST * (box[1] - box[0])) | (cell < resolution)):
            return np.asarray(found)
        box = inner


def _inside(best: Array, box: tuple[Array, Array], floor: Array, ceiling: Array) -> bool:
    """Whether the best point lies off every edge of the box that is not an edge of the whole."""
    at_low = (best <= box[0]) & (box[0] > floor)
    at_high = (best >= box[1]) & (box[1] < ceiling)
    return not bool(np.any(at_low | at_high))


def _vertex(grid: Array, values: Array, low: Array, high: Array) -> Array:
    """The lowest point of the quadratic of least squares through a grid: (1, k), or (0, k) where it has none."""
    z = (grid - (low + high) / 2) / ((high - low) / 2)
    k = z.shape[1]
    rows, columns = np.triu_indices(k)
    design = np.hstack([np.ones((len(z), 1)), z, z[:, rows] * z[:, columns]])
    known = np.isfinite(values)
    c = np.linalg.lstsq(design[known], values[known], rcond=None)[0]
    bend = np.zeros((k, k))
    bend[rows, columns] = c[1 + k :]
    bend += bend.T
    if np.linalg.eigvalsh(bend)[0] <= 0:
        return np.empty((0, k))
    at = np.linalg.solve(bend, -c[1 : 1 + k])
    return np.asarray((low + high) / 2 + at * (high - low) / 2)[None]


def _finite(values: Array) -> Array:
    return np.nan_to_num(values, nan=np.inf, posinf=np.inf)


def _grid(low: Array, high: Array, points: int) -> Array:
    axes = [np.linspace(a, b, points) for a, b in zip(low, high, strict=True)]
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
