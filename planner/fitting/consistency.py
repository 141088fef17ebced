"""Whether a law somebody else found could be the law of these runs: two tests with five degrees of freedom.

Both are those of Besiroglu et al. 2024 (arXiv:2404.10102): the distance of the law's constants from the fitted ones in
units of their bootstrap covariance, and the likelihood ratio under a Huber density of log residuals, its scale free.

Judge by the distance. Of 100 sets of 36 runs with normal noise, their own true law was refused at 5 % by the distance
in 7 and by the likelihood ratio in 33: the density is nearly Laplace's, and only under such noise is its ratio χ².
"""

import math
from dataclasses import dataclass

import numpy as np

from sixnd.planner.fitting.huber_density import log_likelihood
from sixnd.planner.fitting.resample import bootstrap
from sixnd.planner.fitting.runs import Array, Runs
from sixnd.planner.fitting.surface import DELTA, FEWEST_RUNS, as_theta, fit_surface, log_residuals
from sixnd.planner.laws import Surface
from sixnd.specs.errors import UnfitRunsError


@dataclass(frozen=True)
class Consistency:
    """How far a law is from the runs' own."""

    distance: float
    """χ² of (ln A, ln B, ln E, α, β): squared Mahalanobis distance by the bootstrap covariance."""
    distance_p: float
    """Chance of such a distance or a larger one, were the law true."""
    log_likelihood: float
    """Of the runs under the law, at the scale that suits it best."""
    best_log_likelihood: float
    """Under the surface that fits them best."""
    likelihood_ratio: float
    """Twice the difference of the two."""
    likelihood_ratio_p: float
    """Chance of such a ratio or a larger one, were the law and the density of the noise true: with normal noise it is
    too small."""


def consistency(law: Surface, runs: Runs, *, weights: Array | None = None) -> Consistency:
    """Test a law's constants against runs; ``weights`` (R, n) are resamples as ``bootstrap`` takes them.

    Raises ``UnfitRunsError`` for no more runs than constants, or for a law without irreducible loss: its logarithm has
    no distance from any other.
    """
    if len(runs) <= FEWEST_RUNS:
        raise UnfitRunsError(f"{len(runs)} runs agree with any law: five constants fit them exactly", "add runs")
    if not law.E > 0:
        raise UnfitRunsError(
            "the law has no irreducible loss E, so its logarithm cannot be held against the runs'",
            "name a law that has one",
        )
    best, theta = fit_surface(runs, estimator="likelihood"), as_theta(law)
    spread = np.cov(bootstrap(runs, fit_surface(runs), weights=weights), rowvar=False)
    away = theta - best.theta
    distance = float(away @ np.linalg.solve(spread, away))
    likelihood = log_likelihood(log_residuals(runs, theta[None])[0], DELTA)
    ratio = 2 * (-best.objective - likelihood)
    return Consistency(
        distance=distance,
        distance_p=chance_of_five(distance),
        log_likelihood=likelihood,
        best_log_likelihood=-best.objective,
        likelihood_ratio=ratio,
        likelihood_ratio_p=chance_of_five(ratio),
    )


def chance_of_five(chi_squared: float) -> float:
    """Chance that χ² with five degrees of freedom is at least so large, in closed form."""
    x = max(chi_squared, 0.0)
    tail = math.sqrt(2 * x / math.pi) * math.exp(-x / 2) * (1 + x / 3)
    return math.erfc(math.sqrt(x / 2)) + tail
