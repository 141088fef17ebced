"""The over-training form of Gadre et al. 2024 (arXiv:2403.08540, eq. 4): loss by compute and tokens per parameter.

L(C, M) = E + (a·M^η + b·M^−η)·C^−η with M = D/N and C = 6ND. It is the loss surface with α = β = 2η: over-training by
a factor moves every compute by the same share of what is reducible, and M* does not depend on compute.
"""

from dataclasses import dataclass

import numpy as np

from sixnd.planner.fitting.runs import Runs
from sixnd.planner.fitting.surface import DELTA, SurfaceFit, fit_surface
from sixnd.planner.laws import Numbers, Surface
from sixnd.specs.errors import UnfitRunsError


@dataclass(frozen=True)
class OverTrainingLaw:
    """Constants of the form; losses in nats per token, C in FLOPs."""

    E: Numbers
    a: Numbers
    """Of the term that grows with M: too few parameters."""
    b: Numbers
    """Of the term that falls with M: too few tokens."""
    eta: Numbers

    def loss(self, compute: Numbers, tokens_per_param: Numbers) -> Numbers:
        """L(C, M), nats per token."""
        spread = self.a * tokens_per_param**self.eta + self.b * tokens_per_param**-self.eta
        return self.E + spread * compute**-self.eta

    @property
    def best_tokens_per_param(self) -> Numbers:
        """M* = (b/a)^(1/2η), at every compute."""
        best: Numbers = (self.b / self.a) ** (1 / (2 * self.eta))
        return best

    def worse_by(self, tokens_per_param: Numbers) -> Numbers:
        """Reducible loss at M over that at M*, at every compute: what over-training costs."""
        r = self.eta * np.log(tokens_per_param / self.best_tokens_per_param)
        cost: Numbers = np.cosh(r)
        return cost


def as_over_training(surface: Surface) -> OverTrainingLaw:
    """The form of a surface with α = β: N = √(C/6M) and D = √(CM/6) put into it.

    Raises ``UnfitRunsError`` where α and β differ: M* would depend on compute.
    """
    if not np.allclose(surface.alpha, surface.beta, rtol=1e-9):
        raise UnfitRunsError(
            "the over-training form holds only for a surface fitted with α = β", "fit it so (--form over-training)"
        )
    eta = surface.alpha / 2
    return OverTrainingLaw(E=surface.E, a=surface.A * 6**eta, b=surface.B * 6**eta, eta=eta)


def as_surface(law: OverTrainingLaw) -> Surface:
    """The surface of the form."""
    return Surface(E=law.E, A=law.a * 6**-law.eta, B=law.b * 6**-law.eta, alpha=2 * law.eta, beta=2 * law.eta)


def fit_over_training(
    runs: Runs, *, delta: float = DELTA, thorough: bool = False
) -> tuple[OverTrainingLaw, SurfaceFit]:
    """The form of least Huber loss of log loss, and the fit of the tied surface behind it (for bootstrap and proof)."""
    fit = fit_surface(runs, delta=delta, tied=True, thorough=thorough)
    return as_over_training(fit.surface), fit
