"""What is known of the law before a ladder is run, and what noise its runs will have."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from sixnd.planner.design import Aim
from sixnd.planner.fitting.surface import DELTA
from sixnd.planner.laws import Array, Surface, draws
from sixnd.specs import catalog
from sixnd.specs.errors import SixndError
from sixnd.specs.laws import NamedLaw, RepetitionLaw, SurfaceLaw

PUBLISHED = ("besiroglu-2024-huber", "hoffmann-2022", "muennighoff-2023", "sardana-2024-ratio-all")
"""Published fits of different corpora and recipes: their spread is how far a law may be off on yet another corpus."""
_VAGUE = 100.0
"""A fit to a ladder takes no prior: so many times the prior's variance only keeps a poor design's answer finite."""
_DRAWS, _SEED = 32, 20240415
_FLATTEST = 0.05
"""Least exponent of a draw: below it a law hardly falls at all."""


@dataclass(frozen=True)
class Known:
    """What is known before the ladder."""

    law: NamedLaw
    covariance: Array
    """Of (ln A, ln B, ln E, α, β)."""
    own: bool
    """Whether the law was fitted to runs of this very corpus, which the ladder's runs then join."""

    @property
    def precision(self) -> Array:
        """Information of the fit beside the ladder's runs: the old runs', or nearly none."""
        return np.asarray(np.linalg.inv(self.covariance * (1.0 if self.own else _VAGUE)))

    @property
    def basis(self) -> str:
        """Where the covariance comes from, in words."""
        if self.own:
            return f"{self.law.name} and its runs, to which the ladder's are added"
        return f"{self.law.name} with its covariance and the spread among {', '.join(PUBLISHED)}"


def known(law: NamedLaw, own: bool) -> Known:
    """What the law tells of this corpus: its own uncertainty, and the spread among corpora unless it is its own."""
    covariance = _covariance(law.law)
    jitter = 1e-9 * np.eye(5)  # a tied fit's covariance has no spread in one direction
    return Known(law, covariance + (jitter if own else _between_corpora()), own)


def aim(before: Known, compute: float, noise_sd: float, *, prior_only: bool = False) -> Aim:
    """What the ladder shall tell of the optimum at C; with ``prior_only``, what is known without a ladder."""
    precision: Array = np.asarray(np.linalg.inv(before.covariance)) if prior_only else before.precision
    return Aim(_drawn(before), compute, precision, noise_sd * math.sqrt(huber_variance_ratio(noise_sd)))


def noise(law: SurfaceLaw, given: float | None) -> tuple[float, str]:
    """Standard deviation of a run's log loss, and where it comes from; ``SixndError`` where nothing tells it."""
    if given is not None:
        return given, "as given"
    if law.residual_sd is None:
        raise SixndError("the law does not say how far runs scatter around it", "give --noise, e.g. 0.003 of the loss")
    return law.residual_sd, "the law's residuals; --noise takes your own, e.g. the spread among seeds"


def huber_variance_ratio(noise_sd: float, delta: float = DELTA) -> float:
    """How many times the variance of a Huber fit exceeds that of least squares under normal noise.

    Asymptotically E ψ² / (E ψ')² (Huber: Robust Estimation of a Location Parameter, 1964, theorem 2), in units of σ:
    1 for a wide threshold, π/2 for a narrow one.
    """
    k, normal = delta / noise_sd, NormalDist()
    inside = 2 * normal.cdf(k) - 1
    squared = inside - 2 * k * normal.pdf(k) + 2 * k**2 * (1 - normal.cdf(k))
    return squared / inside**2


def _covariance(law: SurfaceLaw) -> Array:
    """The law's own covariance of θ: as it says, or of its draws."""
    if law.log_covariance is not None:
        return np.array(law.log_covariance)
    drawn = draws(law)
    assert drawn is not None, "a spec only takes laws that give an interval"
    rows = (np.log(drawn.A), np.log(drawn.B), np.log(drawn.E), drawn.alpha, drawn.beta)
    return np.asarray(np.cov(np.array(rows)))


def _drawn(before: Known) -> Surface:
    law = before.law.law
    mean = np.array([math.log(law.A), math.log(law.B), math.log(law.E), law.alpha, law.beta])
    root = np.linalg.cholesky(before.covariance)
    drawn = np.random.default_rng(_SEED).standard_normal((_DRAWS, 5)) @ root.T
    log_A, log_B, log_E, alpha, beta = (mean + drawn).T
    exponents = np.maximum(alpha, _FLATTEST), np.maximum(beta, _FLATTEST)
    return Surface(np.exp(log_E), np.exp(log_A), np.exp(log_B), *exponents, law.gamma)


def _between_corpora() -> Array:
    """Covariance of θ from the spread among published fits.

    The spread is taken independently of ln E, the exponents, and the logarithms of both terms in the middle of
    Chinchilla's runs: ln A and ln B themselves are as good as functions of the exponents.
    """
    middle = catalog.law(PUBLISHED[0])
    assert middle.fitted_params is not None
    assert middle.fitted_tokens is not None
    to_terms = np.eye(5)
    to_terms[0, 3] = -np.mean(np.log(middle.fitted_params))
    to_terms[1, 4] = -np.mean(np.log(middle.fitted_tokens))
    spread = np.diag(np.var([to_terms @ _theta(name) for name in PUBLISHED], axis=0, ddof=1))
    back = np.linalg.inv(to_terms)
    return np.asarray(back @ spread @ back.T)


def _theta(name: str) -> Array:
    law = catalog.law(name)
    assert isinstance(law, SurfaceLaw | RepetitionLaw)
    return np.array([math.log(law.A), math.log(law.B), math.log(law.E), law.alpha, law.beta])
