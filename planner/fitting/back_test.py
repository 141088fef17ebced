"""How well the smaller runs would have predicted the larger ones: what a law's form misses beyond its runs.

Bootstrap and residuals speak of the constants, as if the form were true. Real runs bend away from it: small ones are
cut short by warm-up, or keep the batch and learning rate of others. So the fit is repeated on the runs up to a quarter,
an eighth and a sixteenth of the largest compute, and held against the runs above: what those errors have beyond their
own intervals is told as a spread of log loss for each decade of extrapolation, and added to every interval beyond the
runs. Origins that roll are how forecasts are tested (Tashman 2000).
"""

from dataclasses import dataclass

import numpy as np

from sixnd.planner.fitting.polish import Mask
from sixnd.planner.fitting.resample import leave_one_out
from sixnd.planner.fitting.runs import Array, Runs
from sixnd.planner.fitting.surface import FEWEST_DIFFERENT, SurfaceFit, as_surface, fit_surface, log_residuals
from sixnd.planner.fitting.uncertainty import draws, told_sd
from sixnd.planner.laws import WIDENING_PER_DECADE

SHARES = (1 / 4, 1 / 8, 1 / 16)
"""Of the largest compute: what is fitted lies at or below, what is predicted above."""
_DRAWS = 200
_HAIR = 1.01
"""Runs of one isoFLOP budget differ by their rounding."""
_Z95 = 1.96


@dataclass(frozen=True)
class Split:
    """The smaller runs' fit against the larger runs."""

    share: float
    """Of the largest run's compute: runs up to it were fitted."""
    fitted: int
    errors: Array
    """ln predicted − ln measured of each larger run."""
    expected: Array
    """Standard deviation that the fit gave each, widened as a plan widens it."""
    reach: Array
    """Decades beyond the fitted runs, times their widening."""

    @property
    def inside(self) -> int:
        """Larger runs within 1.96 of what was expected."""
        return int(np.sum(np.abs(self.errors) <= _Z95 * self.expected))

    @property
    def median_error(self) -> float:
        """Median relative error."""
        return float(np.median(np.abs(np.expm1(self.errors))))


def back_tests(runs: Runs, fit: SurfaceFit, *, seed: int = 0) -> list[Split]:
    """The splits that leave eight different runs to fit and one to predict; the form and threshold are the fit's."""
    found: list[Split] = []
    for share in SHARES:
        small = runs.compute <= _HAIR * share * runs.compute.max()
        if found and small.sum() == found[-1].fitted:
            continue  # no run lies between the two shares
        if _can_be_fitted(runs.picked(small)):
            found.append(_split(runs, small, share, fit, seed))
    return found


def missed_per_decade(splits: list[Split]) -> float:
    """Spread of log loss a decade that the errors have beyond what was expected; 0 where intervals held them.

    The median of the splits: the worst of them made intervals that held too much (docs/proof/published.md).
    """
    return float(np.median([_missed(one) for one in splits])) if splits else 0.0


def _missed(split: Split) -> float:
    surplus, reach = float(np.sum(split.errors**2 - split.expected**2)), float(np.sum(split.reach**2))
    return float(np.sqrt(max(surplus, 0.0) / reach)) if reach else 0.0


def _can_be_fitted(runs: Runs) -> bool:
    """Different ones count: a repeated run tells nothing of the form, and a fit to four says anything of a fifth."""
    return runs.different >= FEWEST_DIFFERENT and bool(np.ptp(runs.params) > 0 and np.ptp(runs.tokens) > 0)


def _split(runs: Runs, small: Mask, share: float, fit: SurfaceFit, seed: int) -> Split:
    fitted, larger = runs.picked(small), runs.picked(~small)
    found = fit_surface(fitted, delta=fit.delta, tied=fit.tied, estimator=fit.estimator)
    theta = draws(fitted, found, count=_DRAWS, seed=seed)
    drawn = np.log(as_surface(theta[:, None, :]).loss(larger.params, larger.tokens))
    outside = _decades_outside(fitted, larger)
    wider = 1 + WIDENING_PER_DECADE * outside
    expected = wider * np.hypot(drawn.std(axis=0), told_sd(fitted, found, leave_one_out(fitted, found)[1]))
    return Split(share, len(fitted), log_residuals(larger, found.theta[None])[0], expected, wider * outside)


def _decades_outside(fitted: Runs, others: Runs) -> Array:
    """As ``laws.decades_outside``: the furthest of N, D and C counts."""
    pairs = ((fitted.params, others.params), (fitted.tokens, others.tokens), (fitted.compute, others.compute))
    sides = [side for own, value in pairs for side in (own.min() / value, value / own.max())]
    return np.asarray(np.maximum(np.log10(np.max(sides, axis=0)), 0.0))
