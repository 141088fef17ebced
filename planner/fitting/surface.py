"""The best loss surface L(N, D) = E + (A/N^α + B/D^β)^γ for some runs, and the proof that no better one was found.

With γ = 1 and for fixed exponents the surface is linear in E, A and B: a grid of (α, β) is solved in closed form
(variable projection, Golub and Pereyra 1973) and its best cells are polished on the robust objective of Hoffmann et al.
2022 (§3.3, appendix D.2): the sum of Huber losses of log loss.

γ lets the runs of one compute tell how steep the sides of the valley are, and the best runs of each compute how fast
its floor falls: with γ = 1 one pair of exponents has to tell both.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sixnd.planner.fitting.huber_density import best_scale, log_likelihood
from sixnd.planner.fitting.polish import STEEPEST, gradient, objective, polish
from sixnd.planner.fitting.runs import Array, Runs
from sixnd.planner.laws import Surface
from sixnd.specs.errors import UnfitRunsError

Estimator = Literal["frontier", "huber", "likelihood"]
"""Huber losses that count by ``Runs.frontier_weights``, with γ; all alike, without; or a density of a free scale."""

DELTA = 1e-3
"""Huber's threshold on log loss (Hoffmann et al. 2022, appendix D.2)."""
TIED = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1]], dtype=float)
"""Directions in which α = β."""
FEWEST_RUNS = 5
FEWEST_DIFFERENT = 8
"""Different runs from which γ is fitted: on fewer it is 1."""
_BENDS, _IRREDUCIBLE = (0.15, 0.25, 0.4, 0.6, 0.8, 1.4), (0.05, 0.5)
"""γ, and E as a share of the mean loss, from which a surface with γ starts."""
_FALL = 0.3
"""αγ and βγ there."""
_EXPONENTS = np.linspace(0.05, 1.2, 24)
_NEAR, _FAR = 6, 5
"""Best cells polished; and the side of the coarse lattice of other starts that proves convergence."""
_LIKELIHOOD_ROUNDS = 100
_AGAIN = 5
_SAME = 1e-9
"""Objectives that agree to this share are one optimum."""


@dataclass(frozen=True)
class SurfaceFit:
    """A fitted surface and how sure it is that no better one exists."""

    surface: Surface
    theta: Array
    """(ln A, ln B, ln E, α, β), and ln γ where it was fitted."""
    weights: Array
    """What each run counts: 1 at the most."""
    objective: float
    """Weighted sum of Huber losses of log loss; with the likelihood, the negative log-likelihood."""
    delta: float
    estimator: Estimator
    tied: bool
    residuals: Array
    """ln predicted − ln measured, of each run."""
    starts: int
    reached: int
    """Starts that ended at this optimum."""
    best_other: float | None
    """Lowest objective at which any other start ended."""
    gradient: float
    """Largest component of the gradient at the optimum, per run and over the threshold (1 is a full pull)."""
    scale: float | None = None
    """Scale of the likelihood."""


def fit_surface(
    runs: Runs, *, delta: float = DELTA, tied: bool = False, estimator: Estimator = "huber", thorough: bool = False
) -> SurfaceFit:
    """Fit the surface to runs; ``tied`` fits α = β.

    ``thorough`` also starts from a coarse lattice over all exponents: slower, and the proof that the optimum is the
    best to be found.

    Raises ``UnfitRunsError`` for fewer than five runs, or a single N or D.
    """
    _check(runs)
    weights = runs.frontier_weights() if estimator == "frontier" else np.ones(len(runs))
    starts = _starts(runs, weights, delta, tied, thorough)
    basis = TIED if tied else None
    thetas, values = _settled(runs, weights, starts, delta, basis)
    if estimator == "frontier" and not tied and runs.different >= FEWEST_DIFFERENT:
        starts = _bent_starts(runs, thetas[np.argmin(values)])
        thetas, values = _settled(runs, weights, starts, delta, None)
    best = int(np.argmin(values))
    others = values[values > values[best] * (1 + _SAME)]
    theta, value, scale, threshold = thetas[best], float(values[best]), None, delta
    if estimator == "likelihood":
        theta, value, scale = _most_likely(runs, theta, delta, basis)
        threshold = delta * scale
    free = np.eye(len(theta)) if basis is None else basis
    pull = np.abs(gradient(runs, weights[None], theta[None], threshold)[0] @ free).max()
    return SurfaceFit(
        surface=as_surface(theta),
        theta=theta,
        weights=weights,
        objective=value,
        delta=delta,
        estimator=estimator,
        tied=tied,
        residuals=log_residuals(runs, theta[None])[0],
        starts=len(starts),
        reached=int(np.sum(values <= values[best] * (1 + _SAME))),
        best_other=float(others.min()) if others.size else None,
        gradient=float(pull / (len(runs) * threshold)),
        scale=scale,
    )


def _settled(runs: Runs, weights: Array, starts: Array, delta: float, basis: Array | None) -> tuple[Array, Array]:
    """Optima and objectives of the starts, polished anew while that helps: a far start may stall on a fold."""
    thetas, values = polish(runs, weights[None], starts, delta, basis)
    for _ in range(_AGAIN):
        again, lower = polish(runs, weights[None], thetas, delta, basis)
        stalled = np.any(lower < values * (1 - _SAME))
        thetas, values = again, lower
        if not stalled:
            break
    return thetas, values


def _bent_starts(runs: Runs, plain: Array) -> Array:
    """The best surface without γ, and others of many γ and E, whose terms are alike at the middle of the runs."""
    x0, y0, mean = runs.log_params.mean(), runs.log_tokens.mean(), float(runs.loss.mean())
    found = [np.append(plain, 0.0)]
    for bend in _BENDS:
        exponent = min(_FALL / bend, STEEPEST)
        for share in _IRREDUCIBLE:
            half = math.log(mean * (1 - share)) / bend - math.log(2)
            terms = [half + exponent * x0, half + exponent * y0, math.log(mean * share)]
            found.append(np.array([*terms, exponent, exponent, math.log(bend)]))
    return np.array(found)


def as_surface(theta: Array) -> Surface:
    """The surface of θ (5 or 6,), or surfaces of many θ (R, 5 or 6)."""
    log_A, log_B, log_E, alpha, beta, *log_gamma = np.moveaxis(np.asarray(theta, dtype=float), -1, 0)
    constants = (np.exp(log_E), np.exp(log_A), np.exp(log_B), alpha, beta, *(np.exp(one) for one in log_gamma))
    return Surface(*(one[()] for one in constants))


def as_theta(surface: Surface) -> Array:
    """θ (5,) of a surface without γ."""
    return np.array([np.log(surface.A), np.log(surface.B), np.log(surface.E), surface.alpha, surface.beta])


def log_residuals(runs: Runs, theta: Array) -> Array:
    """Ln predicted − ln measured: (R, n) for θ (R, 5 or 6)."""
    s = as_surface(theta[:, None, :])
    return np.asarray(np.log(s.loss(runs.params, runs.tokens)) - runs.log_loss)


def _check(runs: Runs) -> None:
    if len(runs) < FEWEST_RUNS:
        raise UnfitRunsError(
            f"{len(runs)} runs cannot fix five constants", f"at least {FEWEST_RUNS} are needed, better twenty"
        )
    for name, values in (("model size", runs.params), ("number of tokens", runs.tokens)):
        if np.ptp(values) == 0:
            raise UnfitRunsError(
                f"every run has the same {name}",
                "add runs of others: what it does to the loss cannot be told from these",
            )


def _starts(runs: Runs, weights: Array, delta: float, tied: bool, thorough: bool) -> Array:
    """The best cells of the closed-form scan, and for a thorough fit a coarse lattice over all of it."""
    alpha, beta, thetas = _scan(runs, tied)
    values = objective(runs, weights[None], thetas, delta)
    order = np.argsort(values)
    near = order[:1]
    for cell in order[1:]:
        apart = np.hypot(alpha[cell] - alpha[near], beta[cell] - beta[near]) > 2.5 * (_EXPONENTS[1] - _EXPONENTS[0])
        if near.size < _NEAR and apart.all():
            near = np.append(near, cell)
    far = np.linspace(0, len(thetas) - 1, _FAR * _FAR).astype(int)
    return thetas[np.concatenate([near, far]) if thorough else near]


def _scan(runs: Runs, tied: bool) -> tuple[Array, Array, Array]:
    """Relative least squares of E, A, B for every cell of exponents: (cells,), (cells,), θ (cells, 5)."""
    alpha, beta = (grid.ravel() for grid in np.meshgrid(_EXPONENTS, _EXPONENTS, indexing="ij"))
    if tied:
        alpha = beta = np.linspace(_EXPONENTS[0], _EXPONENTS[-1], 8 * len(_EXPONENTS))
    x0, y0 = runs.log_params.mean(), runs.log_tokens.mean()
    of_N = np.exp(-alpha[:, None] * (runs.log_params - x0)) / runs.loss
    of_D = np.exp(-beta[:, None] * (runs.log_tokens - y0)) / runs.loss
    features = np.stack([of_N, of_D, np.broadcast_to(1 / runs.loss, of_N.shape)], axis=1)
    normal = features @ np.swapaxes(features, 1, 2) + 1e-10 * np.eye(3)
    found = np.linalg.solve(normal, features.sum(axis=2)[:, :, None])[:, :, 0]
    smallest = 1e-3 * runs.loss.mean()
    positive = np.log(np.maximum(found, smallest))  # a negative term starts small, and the polish decides
    theta = np.stack([positive[:, 0] + alpha * x0, positive[:, 1] + beta * y0, positive[:, 2], alpha, beta], axis=1)
    return alpha, beta, theta


def _most_likely(runs: Runs, theta: Array, delta: float, basis: Array | None) -> tuple[Array, float, float]:
    """θ, negative log-likelihood and scale of the density exp(−huber_δ(r/s))/(s·Z) (Besiroglu et al. 2024).

    For a given s, θ minimises Huber losses with threshold δ·s; for a given θ, s solves Σ ψ(r/s)·(r/s) = n.
    """
    ones, scale, threshold = np.ones((1, len(runs))), np.inf, DELTA
    for _ in range(_LIKELIHOOD_ROUNDS):
        theta = polish(runs, ones, theta[None], threshold, basis)[0][0]
        previous, scale = scale, best_scale(log_residuals(runs, theta[None])[0], delta)
        if math.isclose(threshold, delta * scale, rel_tol=1e-9) and math.isclose(previous, scale, rel_tol=1e-12):
            break
        threshold = max(delta * scale, threshold / 2)  # by stages: the optimum moves little from one to the next
    return theta, -log_likelihood(log_residuals(runs, theta[None])[0], delta), scale
