"""Whether a task's discrete metric follows from its continuous one by a smooth link.

A sharp rise of a thresholded metric says nothing of the model by itself: a smooth gain in likelihood is enough for it
(Schaeffer, Miranda and Koyejo 2023, arXiv:2304.15004). So the share of right items is fitted as
p = c + (1 - c) · σ(a + b · x), with c the chance level and x the mean nats per byte of the right answers, or the Brier
score of choices, over all answerings of the run, by maximum likelihood; Pearson's χ² then says whether the shares
scatter about that curve as binomial counts do. All checkpoints answer the same items, so that their counts err together
and χ² is rather too small: the test is slow to contradict the link.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sixnd.reports.evaluation_documents import Link

Array = NDArray[np.float64]

LEAST_POINTS = 5
_NORMAL_95 = 1.6448536269514722
_RIDGE = 1e-3
"""Pull of a and b towards 0, so that a perfect step has a finite fit."""
_ROUNDS = 100


def link_test(shares: Sequence[float], continuous: Sequence[float], items: int, chance: float, *, left: bool) -> Link:
    """The test's result; ``left`` tells whether the share of right items ever lay clearly above chance."""
    if len(shares) < LEAST_POINTS:
        return _not_measured(f"{len(shares)} answerings are too few to tell: it takes {LEAST_POINTS}")
    if not left:
        return _not_measured("the discrete metric has not left chance, so that there is no rise to explain")
    x = np.asarray(continuous, np.float64)
    if not np.isfinite(x).all() or np.ptp(x) < 1e-9:
        return _not_measured("the continuous metric is not finite, or did not move")
    y = np.asarray(shares, np.float64)
    p = fitted_shares(y, (x - x.mean()) / x.std(), items, min(chance, 0.99))
    statistic = float((items * (y - p) ** 2 / (p * (1 - p))).sum())
    return _judged(statistic, len(shares) - 2)


def _not_measured(reason: str) -> Link:
    return Link(verdict="not measured", text=f"Not measured: {reason}.")


def _judged(statistic: float, degrees: int) -> Link:
    critical = chi_squared_95(degrees)
    verdict: Literal["follows", "does not follow"]
    numbers = f"χ² = {statistic:.1f} on {degrees} degrees of freedom, of which more than {critical:.1f} contradicts it"
    if statistic <= critical:
        verdict, so = "follows", "a rise of it needs no jump, a threshold on a steady gain is enough"
    else:
        verdict, so = "does not follow", "a jump, or a link of another form"
    text = f"{verdict.capitalize()} by a smooth link ({numbers}): {so}."
    return Link(verdict=verdict, text=text, chi_squared=statistic, degrees=degrees, critical=critical)


def fitted_shares(y: Array, x: Array, items: int, chance: float) -> Array:
    """Shares of right items by the fitted link, by Fisher's scoring with halved steps where one goes too far."""
    design, at = np.stack([np.ones_like(x), x], axis=1), np.zeros(2)
    for _ in range(_ROUNDS):
        s = _logistic(design @ at)
        p = _clipped(chance + (1 - chance) * s)
        slope = (1 - chance) * s * (1 - s)
        weight = items * slope / (p * (1 - p))
        gradient = design.T @ (weight * (y - p)) - _RIDGE * at
        information = design.T @ (design * (weight * slope)[:, None]) + _RIDGE * np.eye(2)
        step = np.linalg.solve(information, gradient)
        now = _objective(at, design, y, items, chance)
        while _objective(at + step, design, y, items, chance) < now and np.abs(step).max() > 1e-12:
            step = step / 2
        at = at + step
        if np.abs(step).max() < 1e-10:
            break
    return _clipped(chance + (1 - chance) * _logistic(design @ at))


def _objective(at: Array, design: Array, y: Array, items: int, chance: float) -> float:
    p = _clipped(chance + (1 - chance) * _logistic(design @ at))
    return float(items * (y * np.log(p) + (1 - y) * np.log1p(-p)).sum() - _RIDGE / 2 * (at**2).sum())


def _logistic(z: Array) -> Array:
    return 0.5 * (1 + np.tanh(z / 2))


def _clipped(p: Array) -> Array:
    return np.clip(p, 1e-6, 1 - 1e-6)


def chi_squared_95(degrees: int) -> float:
    """95 % quantile of χ², by Wilson and Hilferty (1931): within 1 % from 2 degrees of freedom on."""
    ninth = 2 / (9 * degrees)
    return degrees * (1 - ninth + _NORMAL_95 * math.sqrt(ninth)) ** 3
