"""How sure a fit is: draws whose percentiles are its intervals, outliers, and weak identification in words.

From fifty runs on, runs are drawn anew (case resampling, Efron 1979), which assumes nothing about the noise. Fewer runs
would leave resamples without half of the design, and intervals too wide: there the noise is drawn anew instead, normal
with the residuals' standard deviation, itself drawn with its n − p degrees of freedom (Student's t). Noise is taken for
equal in all runs, and its size is that of the residuals as the runs count. How often such intervals hold the truth is
measured in ``tests/benchmarks/fit_coverage.py``.
"""

import numpy as np

from sixnd.planner.fitting.polish import LOG_E_FLOOR, PLAIN
from sixnd.planner.fitting.resample import bootstrap, refit
from sixnd.planner.fitting.runs import Array, Runs
from sixnd.planner.fitting.surface import SurfaceFit, fit_surface

MANY_RUNS = 50
_OUTLIER = 5.0
_FEW_RUNS = 12
_NARROW, _COLLINEAR, _LOOSE = 8.0, 0.98, 0.15
_MAD_OF_NORMAL = 0.6745


def degrees_of_freedom(runs: Runs, fit: SurfaceFit) -> int:
    """Runs less free constants."""
    return len(runs) - (4 if fit.tied else len(fit.theta))


def interval_method(runs: Runs) -> str:
    """How ``draws`` come about, in words."""
    if len(runs) >= MANY_RUNS:
        return f"case resampling of the {len(runs)} runs"
    return (
        f"noise drawn anew at the {len(runs)} runs (too few to resample): normal, with the residuals' spread and its "
        "Student degrees of freedom; runs of unequal noise would need more runs"
    )


def draws(runs: Runs, fit: SurfaceFit, *, count: int = 4000, seed: int = 0) -> Array:
    """θ (count, 5 or 6) around the fit; none (0, 5 or 6) where as few runs as constants leave nothing to judge by."""
    free = degrees_of_freedom(runs, fit)
    if free < 1:
        return np.empty((0, len(fit.theta)))
    if len(runs) >= MANY_RUNS:
        return bootstrap(runs, fit, count=count, seed=seed)
    generator = np.random.default_rng(seed)
    # An outlier counts as the least that is one: it must not pass for the noise of all runs.
    squares = np.minimum(np.abs(fit.residuals), _OUTLIER * residual_sd(runs, fit)) ** 2
    whole = len(runs) * np.average(squares, weights=fit.weights)
    spread = np.sqrt(whole / generator.chisquare(free, (count, 1)))
    noise = spread * generator.standard_normal((count, len(runs)))
    return refit(runs, fit, np.ones((count, len(runs))), runs.log_loss + fit.residuals + noise)


def residual_sd(runs: Runs, fit: SurfaceFit) -> float:
    """Standard deviation of log loss around the fit, by the median residual and for the constants it used up."""
    free = max(degrees_of_freedom(runs, fit), 1)
    return float(_median(fit.residuals, fit.weights) / _MAD_OF_NORMAL * np.sqrt(len(runs) / free))


def told_sd(runs: Runs, fit: SurfaceFit, left_out: Array) -> float:
    """What an interval reckons with: no less than what runs are missed by that are left out of the fit.

    ``left_out`` (n,) is the loss that ``leave_one_out`` predicts of each.
    """
    errors = np.log(left_out) - runs.log_loss
    return max(residual_sd(runs, fit), _median(errors, fit.weights) / _MAD_OF_NORMAL)


def _median(errors: Array, weights: Array) -> float:
    """Of their sizes, each counting by its weight."""
    order = np.argsort(np.abs(errors))
    below = np.cumsum(weights[order]) / weights.sum()
    return float(np.abs(errors)[order][np.searchsorted(below, 0.5)])


def outliers(runs: Runs, fit: SurfaceFit) -> list[int]:
    """Runs more than five robust standard deviations off the fit, and off one in which all count alike.

    They are named, and left in the fit. A run that counts little may lie far off without being wrong, and so may a run
    on the frontier where the form is strained by those beside it.
    """
    alike = fit_surface(runs, delta=fit.delta) if fit.estimator == "frontier" else fit
    far = [np.abs(one.residuals) > _OUTLIER * residual_sd(runs, one) for one in (fit, alike)]
    return [int(row) for row in np.flatnonzero(far[0] & far[1])]


def weaknesses(runs: Runs, fit: SurfaceFit, theta: Array) -> list[str]:
    """What these runs cannot tell, in words; ``theta`` are the draws."""
    return [*_of_design(runs, fit), *(_of_draws(theta) if len(theta) else [])]


def _of_design(runs: Runs, fit: SurfaceFit) -> list[str]:
    found, free = [], degrees_of_freedom(runs, fit)
    if free < 1:
        found.append(f"{len(runs)} runs fix the constants exactly: nothing is left to judge them by, so no interval")
    elif len(runs) < _FEW_RUNS:
        found.append(f"{len(runs)} runs leave {free} degrees of freedom: intervals are wide, and one bad run moves all")
    for name, values in (("N", runs.params), ("D", runs.tokens)):
        if values.max() / values.min() < _NARROW:
            found.append(
                f"{name} spans less than a factor {_NARROW:g} ({values.min():.3g} to {values.max():.3g}): its exponent "
                "is hardly told; spread the runs over two decades"
            )
    if abs(np.corrcoef(runs.log_params, runs.log_tokens)[0, 1]) > _COLLINEAR:
        ratio = np.exp(np.median(runs.log_tokens - runs.log_params))
        found.append(
            f"N and D rise together (about {ratio:.3g} tokens a parameter in every run): what each does to the loss "
            "cannot be told apart; vary the ratio"
        )
    return found


def _of_draws(theta: Array) -> list[str]:
    found = []
    gamma = np.exp(theta[:, 5]) if theta.shape[1] > PLAIN else 1.0
    times = "" if theta.shape[1] == PLAIN else " times gamma"
    for column, name in ((3, "alpha"), (4, "beta")):
        low, high = np.quantile(theta[:, column] * gamma, [0.025, 0.975])
        if high - low > _LOOSE:
            found.append(f"{name}{times} is weakly identified: 95 % from {low:.3f} to {high:.3f}")
    none = float(np.mean(theta[:, 2] <= LOG_E_FLOOR + 1))
    if none > 0.025:
        found.append(
            f"the irreducible loss E is weakly identified: {none:.0%} of the draws have none at all; runs of more "
            "compute would tell it"
        )
    exponent = theta[:, 4] / (theta[:, 3] + theta[:, 4])
    low, high = np.quantile(exponent, [0.025, 0.975])
    if high - low > _LOOSE:
        found.append(
            f"N* grows as C^a with a anywhere from {low:.2f} to {high:.2f} (95 %): do not extrapolate beyond the runs"
        )
    return found
