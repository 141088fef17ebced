"""Which of many candidates none other beats: the Pareto front of columns that should all be small."""

import numpy as np

from sixnd.planner.candidates import Floats, Ints


def front(columns: Floats) -> Ints:
    """Rows of ``columns`` (candidates × criteria, less is better) that no row beats, by the first criterion.

    A row beats another that is nowhere smaller and somewhere larger; of equal rows the first stands for all. Costs a
    pass over the rows left for each member found.
    """
    left = np.lexsort(columns.T[::-1])  # by the first criterion, then the next: no row is beaten by a later one
    found = []
    while left.size:
        found.append(left[0])
        left = left[(columns[left] < columns[left[0]]).any(axis=1)]
    return np.array(found, dtype=np.int64)


def worthwhile(members: Ints, falling: Floats, least: float) -> Ints:
    """Members of a front whose ``falling`` value, one each, is below the last kept one's by ``least``; the first is."""
    kept: list[int] = []
    for i, value in enumerate(falling.tolist()):
        if not kept or value <= falling[kept[-1]] - least:
            kept.append(i)
    return members[kept]


def thinned(members: Ints, spread: Floats, most: int) -> Ints:
    """At most so many members: the first of each of ``most`` equal bands of ``spread``, and so the very first."""
    if len(members) <= most:
        return members
    low, high = float(spread.min()), float(spread.max())
    band = np.minimum((spread - low) / (high - low) * most, most - 1).astype(np.int64)
    _, first = np.unique(band, return_index=True)
    return members[np.sort(first)]
