"""Many robust fits of one loss surface at once: the same runs, other weights or other starts.

θ = (ln A, ln B, ln E, α, β) and L(θ) = E + A/N^α + B/D^β; with a sixth constant, ln γ, L(θ) = E + (A/N^α + B/D^β)^γ.
The objective is the weighted sum of Huber losses of ln L(θ) − ln L. Its gradient and Hessian are exact, and a damped
Newton step in the eigenbasis of the Hessian (absolute eigenvalues, so that it goes downhill past saddles) takes each
problem to its optimum in about ten evaluations. Starting points, bootstrap and leave-one-out are all calls of
``polish``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sixnd.planner.fitting.runs import Array, Runs

Mask = NDArray[np.bool_]

LOG_E_FLOOR = -12.0
"""Smallest ln E: an irreducible loss of 6e-6 nats, below anything that data can tell from none."""
FLATTEST, STEEPEST = 1e-3, 4.0
"""Bounds of the exponents: a law outside them is none, and only runs that cannot tell a law lead there."""
LEAST_BEND, MOST_BEND = 0.05, 2.0
"""Bounds of γ."""
PLAIN = 5
"""Constants without γ."""
_LONGEST_STEP = 2.0
_DAMPING, _EASED, _STIFFENED, _STUCK = 1e-3, 0.2, 4.0, 1e6
_ROUNDS = 300
_GAIN = 1e-15
"""A problem is done when a step promises or brings less than this share of its objective."""


@dataclass(frozen=True)
class _Local:
    """Objective, gradient and Hessian of each problem, and the size of each direction."""

    value: Array
    gradient: Array
    hessian: Array
    sizes: Array
    """Root of the curvature of the quadratics that touch Huber's loss from above: positive where the Hessian is not."""

    def picked(self, rows: Mask) -> "_Local":
        return _Local(self.value[rows], self.gradient[rows], self.hessian[rows], self.sizes[rows])

    def updated(self, rows: Mask, new: "_Local") -> "_Local":
        return _Local(
            np.where(rows, new.value, self.value),
            np.where(rows[:, None], new.gradient, self.gradient),
            np.where(rows[:, None, None], new.hessian, self.hessian),
            np.where(rows[:, None], new.sizes, self.sizes),
        )


def objective(runs: Runs, weights: Array, theta: Array, delta: float) -> Array:
    """Weighted sum of Huber losses: (R,) for theta (R, 5 or 6) and weights (R, n) or (1, n)."""
    size = np.abs(_parts(runs, theta).log_loss - runs.log_loss)
    inside = np.minimum(size, delta)
    value: Array = np.sum(weights * inside * (size - inside / 2), axis=1)
    return value


def gradient(runs: Runs, weights: Array, theta: Array, delta: float) -> Array:
    """Gradient of the objective by theta, both (R, 5 or 6)."""
    return _local(runs, weights, theta, delta, runs.log_loss).gradient


def polish(
    runs: Runs,
    weights: Array,
    starts: Array,
    delta: float,
    basis: Array | None = None,
    log_loss: Array | None = None,
) -> tuple[Array, Array]:
    """Optima and their objectives (R,) from ``starts``, both (R, 5 or 6); ``weights`` is (R, n) or (1, n).

    ``basis`` (5 or 6, p) restricts steps to its columns, e.g. to α = β; ``log_loss`` (R, n) stands for the runs' own.
    """
    theta, free = np.array(starts, dtype=float), np.eye(starts.shape[1]) if basis is None else basis
    weights = np.broadcast_to(weights, (len(theta), weights.shape[1]))
    target = np.broadcast_to(runs.log_loss if log_loss is None else log_loss, weights.shape)
    damping, values = np.full(len(theta), _DAMPING), np.empty(len(theta))
    active = np.arange(len(theta))
    local = _local(runs, weights, theta, delta, target)
    values[:] = local.value
    for _ in range(_ROUNDS):
        step, promised = _step(local, damping[active], free)
        moved = theta[active] + step
        moved[:, 2] = np.maximum(moved[:, 2], LOG_E_FLOOR)
        moved[:, 3:5] = np.clip(moved[:, 3:5], FLATTEST, STEEPEST)
        moved[:, 5:] = np.clip(moved[:, 5:], np.log(LEAST_BEND), np.log(MOST_BEND))
        new = _local(runs, weights[active], moved, delta, target[active])
        better = new.value < local.value
        gain = np.where(better, local.value - new.value, np.inf)
        theta[active] = np.where(better[:, None], moved, theta[active])
        damping[active] *= np.where(better, _EASED, _STIFFENED)
        local = local.updated(better, new)
        values[active] = local.value
        done = (np.minimum(gain, promised) <= _GAIN * local.value) | (damping[active] > _STUCK)
        active, local = active[~done], local.picked(~done)
        if not active.size:
            break
    return theta, values


@dataclass(frozen=True)
class _Parts:
    """What the loss is made of, at each run (R, n)."""

    of_N: Array
    """Share of A/N^α in A/N^α + B/D^β."""
    of_D: Array
    reducible: Array
    """Share of the loss that is not E."""
    log_sum: Array
    """Ln (A/N^α + B/D^β)."""
    bend: Array | float
    """γ, (R, 1)."""
    log_loss: Array


def _parts(runs: Runs, theta: Array) -> _Parts:
    bend = np.exp(theta[:, 5:6]) if theta.shape[1] > PLAIN else 1.0
    log_N = theta[:, 0:1] - theta[:, 3:4] * runs.log_params
    log_D = theta[:, 1:2] - theta[:, 4:5] * runs.log_tokens
    log_sum = np.logaddexp(log_N, log_D)
    log_loss = np.logaddexp(bend * log_sum, theta[:, 2:3])
    of_N, reducible = np.exp(log_N - log_sum), np.exp(bend * log_sum - log_loss)
    return _Parts(of_N, 1 - of_N, reducible, log_sum, bend, log_loss)


def _step(local: _Local, damping: Array, basis: Array) -> tuple[Array, Array]:
    """Damped Newton step (R, 5 or 6), no longer than two, and the decrease it promises (R,)."""
    gradient, hessian = local.gradient @ basis, basis.T @ local.hessian @ basis
    scale = local.sizes @ np.abs(basis) + 1e-9
    values, vectors = np.linalg.eigh(hessian / (scale[:, :, None] * scale[:, None, :]))
    along = np.einsum("rji,rj->ri", vectors, gradient / scale)
    step = -np.einsum("rij,rj->ri", vectors, along / (np.abs(values) + damping[:, None])) / scale
    longest = np.max(np.abs(step), axis=1)
    step *= np.minimum(1.0, _LONGEST_STEP / np.maximum(longest, 1e-300))[:, None]
    promised: Array = -np.einsum("ri,ri->r", gradient, step)
    return step @ basis.T, promised


def _local(runs: Runs, weights: Array, theta: Array, delta: float, log_loss: Array) -> _Local:
    """Exact derivatives.

    ∂ ln L is p on the features (1, −ln N), (1, −ln D), (1), with p the terms' shares of the loss, two of them times γ.
    Its second derivative is diag(p) + κ ssᵀ − ppᵀ on them, with s the shares of A/N^α and B/D^β in their sum, and κ = 0
    where γ is 1.
    """
    x, y, made = runs.log_params, runs.log_tokens, _parts(runs, theta)
    p1, p2, p3 = (
        made.bend * made.reducible * made.of_N,
        made.bend * made.reducible * made.of_D,
        1 - made.reducible,
    )
    residual = made.log_loss - log_loss
    size = np.abs(residual)
    inside = np.minimum(size, delta)
    pull = weights * np.clip(residual, -delta, delta)
    outer = weights * (size < delta) - pull  # coefficient of ∂f ∂fᵀ: Huber's curvature, less that of the logarithm
    bent = pull * made.reducible * made.bend * (made.bend - 1)
    of_N, of_D = np.stack([np.ones_like(x), x, x * x], axis=1), np.stack([np.ones_like(y), y, y * y], axis=1)
    first_N, first_D, first_E = (pull * p1) @ of_N, (pull * p2) @ of_D, (pull * p3).sum(axis=1)
    NN = (outer * p1 * p1 + bent * made.of_N**2) @ of_N + first_N
    DD = (outer * p2 * p2 + bent * made.of_D**2) @ of_D + first_D
    ND = (outer * p1 * p2 + bent * made.of_N * made.of_D) @ np.stack([np.ones_like(x), x, y, x * y], axis=1)
    NE, DE = (outer * p1 * p3) @ of_N[:, :2], (outer * p2 * p3) @ of_D[:, :2]
    EE = (outer * p3 * p3).sum(axis=1) + first_E
    gradient = [first_N[:, 0], first_D[:, 0], first_E, -first_N[:, 1], -first_D[:, 1]]
    rows = [
        [NN[:, 0], ND[:, 0], NE[:, 0], -NN[:, 1], -ND[:, 2]],
        [ND[:, 0], DD[:, 0], DE[:, 0], -ND[:, 1], -DD[:, 1]],
        [NE[:, 0], DE[:, 0], EE, -NE[:, 1], -DE[:, 1]],
        [-NN[:, 1], -ND[:, 1], -NE[:, 1], NN[:, 2], ND[:, 3]],
        [-ND[:, 2], -DD[:, 1], -DE[:, 1], ND[:, 3], DD[:, 2]],
    ]
    touching = weights * inside / np.maximum(size, 1e-300)
    squares = (touching * p1 * p1) @ of_N[:, ::2], (touching * p2 * p2) @ of_D[:, ::2]
    of_E = (touching * p3 * p3).sum(axis=1)
    sizes = [squares[0][:, 0], squares[1][:, 0], of_E, squares[0][:, 1], squares[1][:, 1]]
    if theta.shape[1] > PLAIN:
        column, slope = _by_bend(made, (p1, p2, p3), outer, pull, of_N, of_D)
        rows = [*([*row, last] for row, last in zip(rows, column[:-1], strict=True)), column]
        gradient.append(slope)
        sizes.append((touching * (made.reducible * made.bend * made.log_sum) ** 2).sum(axis=1))
    value = np.sum(weights * inside * (size - inside / 2), axis=1)
    hessian = np.moveaxis(np.array(rows), 2, 0)
    return _Local(value, np.stack(gradient, axis=1), hessian, np.sqrt(np.stack(sizes, axis=1)))


def _by_bend(
    made: _Parts, p: tuple[Array, Array, Array], outer: Array, pull: Array, of_N: Array, of_D: Array
) -> tuple[list[Array], Array]:
    """The Hessian's row, and the gradient, by ln γ."""
    power = made.bend * made.log_sum
    p4 = made.reducible * power
    NG = (outer * p[0] * p4 + pull * p[0] * (1 + power)) @ of_N[:, :2]
    DG = (outer * p[1] * p4 + pull * p[1] * (1 + power)) @ of_D[:, :2]
    EG = (outer * p[2] * p4).sum(axis=1)
    GG = (outer * p4 * p4 + pull * p4 * (1 + power)).sum(axis=1)
    return [NG[:, 0], DG[:, 0], EG, -NG[:, 1], -DG[:, 1], GG], (pull * p4).sum(axis=1)
