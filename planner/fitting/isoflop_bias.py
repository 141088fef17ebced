"""How far approach 2 would miss on runs without any noise: parabolas are not what a loss surface looks like.

Czech et al., Problems with Chinchilla Approach 2: wherever α ≠ β, or the sizes are not centred on the optimum, the
vertex of a fitted parabola lies off the optimum. Constant offsets spoil the prefactor, drifting ones the exponent.
"""

from dataclasses import dataclass, replace

import numpy as np

from sixnd.planner.fitting.isoflop import IsoflopFit, fit_isoflops
from sixnd.planner.fitting.runs import Array, Runs
from sixnd.planner.laws import Surface


@dataclass(frozen=True)
class IsoflopBias:
    """What approach 2 finds on noise-free losses of a surface, beside the surface's own optimum."""

    surface: Surface
    found: IsoflopFit

    @property
    def true_exponent(self) -> float:
        """Of N*(C): β / (α + β) (Hoffmann et al. 2022, eq. 4)."""
        return float(self.surface.beta / (self.surface.alpha + self.surface.beta))

    @property
    def exponent(self) -> float:
        """Found less true exponent of N*(C)."""
        return self.found.params.exponent - self.true_exponent

    def params_ratio(self, compute: float) -> float:
        """Found N* over true N* at a compute, FLOPs."""
        return self.found.params(compute) / float(self.surface.optimal_params(compute))

    @property
    def tokens_intercepts(self) -> tuple[float, float]:
        """(found, true) log10 of the prefactor of D*(C): what the paper's tables list."""
        true = 1 / 6 / self.surface.optimal_params(1.0)
        return float(np.log10(self.found.tokens.coefficient)), float(np.log10(true))


def bias_on_runs(surface: Surface, runs: Runs, *, tolerance: float = 0.05, window: float = np.inf) -> IsoflopBias:
    """Approach 2's bias on one's own design: the runs' N and D with the losses that the surface would give them.

    ``surface`` is a fit of approach 3 to the same runs; ``tolerance`` and ``window`` as in ``fit_isoflops``.
    """
    clean = replace(runs, loss=np.asarray(surface.loss(runs.params, runs.tokens)))
    return IsoflopBias(surface, fit_isoflops(clean, tolerance=tolerance, window=window))


def bias_of_grid(surface: Surface, budgets: Array, points: int = 15, width: float = 16.0) -> IsoflopBias:
    """The bias of a design centred on the optimum: ``points`` sizes from 1/``width`` to ``width`` times N* a budget.

    The defaults are the paper's; budgets in FLOPs, each C = 6ND.
    """
    params = np.outer(surface.optimal_params(budgets), np.geomspace(1 / width, width, points)).ravel()
    tokens = np.repeat(budgets, points) / 6 / params
    return bias_on_runs(surface, Runs(params, tokens, np.ones_like(params)))
