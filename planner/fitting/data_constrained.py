"""The fit of how fast repeated data loses its worth: R_D* and R_N* of Muennighoff et al. 2023 (eq. 16 to 20).

L = E + A/N'^α + B/D'^β, where D' = U + U·R*·(1 − exp(−R/R*)) counts tokens repeated R = D/U − 1 times for less than
fresh ones, and N' likewise the parameters beyond those that the unique tokens call for. What follows from the two is
in ``planner.repetition``.
"""

from dataclasses import dataclass

import numpy as np

from sixnd.planner.fitting.resample import resamples
from sixnd.planner.fitting.runs import Array, Runs
from sixnd.planner.fitting.surface import DELTA
from sixnd.planner.fitting.zoom import least, scan
from sixnd.planner.laws import Surface
from sixnd.planner.repetition import Repetition
from sixnd.specs.errors import UnfitRunsError

_SIDE = 64
_LEAST = 0.01
"""Below it a repetition is worth nothing that runs could show."""
_BEYOND = 100.0
"""Times the most repetitions of any run: from there on R* cannot be told from infinity."""
_WEAK = 10.0
"""A 95 % interval wider than this factor is called weak."""


@dataclass(frozen=True)
class RepetitionFit:
    """R_D* and R_N* of runs on a given surface."""

    repeated_tokens: float
    """R_D*."""
    excess_params: float
    """R_N*."""
    objective: float
    """Sum of Huber losses of log loss."""
    draws: Array
    """(r, 2): bootstrapped R_D*, R_N*."""
    infinite: tuple[float, float]
    """From these R_D*, R_N* on, the runs cannot tell them from infinity; the search ends there."""

    def intervals(self, level: float = 0.95) -> tuple[tuple[float, float], tuple[float, float]]:
        """Percentile intervals of R_D* and R_N*; ``inf`` where the runs leave them open."""
        low, high = np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
        high = np.where(high >= 0.99 * np.array(self.infinite), np.inf, high)
        return (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))

    @property
    def notes(self) -> tuple[str, ...]:
        """Weak identification, in words."""
        told = zip(("R_D*", "R_N*"), self.intervals(), strict=True)
        return tuple(f"{name} is weakly identified: 95 % {_words(*ends)}" for name, ends in told if _weak(*ends))


def fit_repetition(
    surface: Surface, runs: Runs, unique: Array, *, delta: float = DELTA, count: int = 1000, seed: int = 0
) -> RepetitionFit:
    """R_D* and R_N* of least Huber loss of log loss over runs with ``unique`` tokens each, on the given surface.

    A scan over both on a logarithmic grid finds the deepest basin and closes in on it; ``count`` resamples of the
    runs are scanned all at once. Their spread leaves out how sure the surface itself is.

    Raises ``UnfitRunsError`` where no run repeats its data.
    """
    unique = np.minimum(np.asarray(unique, float), runs.tokens)
    most = float(np.max(runs.tokens / unique)) - 1
    if most <= 0:
        raise UnfitRunsError("no run repeats its data, so nothing shows what a repetition is worth", "add some that do")
    needed = np.minimum(runs.params, _needed(surface, unique))
    excess = max(1.0, float(np.max(runs.params / needed)) - 1)
    infinite = (_BEYOND * most, _BEYOND * excess)
    low, high = np.log([_LEAST, _LEAST]), np.log(infinite)

    def errors(points: Array) -> Array:
        """Huber losses (m, n) of m pairs (ln R_D*, ln R_N*) on every run."""
        decays = np.exp(points)
        worth = surface.loss(_worth(runs.params, needed, decays[:, 1:]), _worth(runs.tokens, unique, decays[:, :1]))
        size = np.abs(np.log(worth) - runs.log_loss)
        inside = np.minimum(size, delta)
        return np.asarray(inside * (size - inside / 2))

    at, objective = least(lambda points: errors(points).sum(axis=1), low, high, points=_SIDE)
    weights = resamples(len(runs), count, seed)
    return RepetitionFit(
        repeated_tokens=float(np.exp(at[0])),
        excess_params=float(np.exp(at[1])),
        objective=objective,
        draws=np.exp(scan(lambda points: errors(points) @ weights.T, low, high, points=_SIDE)),
        infinite=infinite,
    )


def _needed(surface: Surface, unique: Array) -> Array:
    """U_N of each run: the N for which its unique tokens are compute-optimal."""
    alone = (Repetition(np.ones(1), np.array([U]), 1.0, 1.0, surface) for U in unique)
    return np.array([float(one.needed_params()) for one in alone])


def _worth(amount: Array, base: Array, decay: Array) -> Array:
    """Base + base·R*·(1 − exp(−R/R*)) with R = amount / base − 1."""
    repeats = amount / base - 1
    return np.asarray(base * (1 - decay * np.expm1(-repeats / decay)))


def _weak(low: float, high: float) -> bool:
    return not high <= _WEAK * low


def _words(low: float, high: float) -> str:
    return f"from {low:.2g} to {'effectively infinite' if np.isinf(high) else format(high, '.2g')}"
