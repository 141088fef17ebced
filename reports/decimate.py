"""Long series made short without losing their spikes."""

import itertools

import numpy as np
from numpy.typing import ArrayLike, NDArray

POINT_LIMIT = 2000
"""Points a chart draws at most: about two a pixel column on a wide screen."""


def keep(values: ArrayLike, limit: int = POINT_LIMIT) -> NDArray[np.intp]:
    """Indices, ascending and at most ``limit``, that show a series as it looks when all of it is drawn.

    The series is cut into equal buckets; of each the smallest, the largest and the first non-finite value are
    kept, and the first and last point of all, so that no spike, dip or NaN is smoothed away.
    """
    assert limit >= 5, "first, last and one bucket of three need five points"
    series = np.asarray(values, dtype=np.float64)
    if series.size <= limit:
        return np.arange(series.size)
    edges = np.linspace(0, series.size, (limit - 2) // 3 + 1).astype(np.intp)
    kept = {0, series.size - 1}
    for start, stop in itertools.pairwise(edges):
        kept |= {int(start + offset) for offset in _extremes(series[start:stop])}
    return np.array(sorted(kept), dtype=np.intp)


def _extremes(bucket: NDArray[np.float64]) -> set[int]:
    finite = np.isfinite(bucket)
    found: set[int] = set()
    if finite.any():
        found |= {int(np.where(finite, bucket, np.inf).argmin()), int(np.where(finite, bucket, -np.inf).argmax())}
    if not finite.all():
        found.add(int(finite.argmin()))
    return found
