"""Optimal design of small runs: which sizes and token counts tell most about the compute-optimal N and its loss.

The log loss of a run at (N, D) has a gradient J in θ = (ln A, ln B, ln E, α, β); with noise of standard deviation σ
the run adds J Jᵀ/σ² to the information. After a set of runs the variance of a quantity with gradient c is
cᵀ (prior precision + information)⁻¹ c (c-optimality: Atkinson, Donev, Tobias: Optimum Experimental Designs, 2007,
chapter 10). The criterion is the mean of ln sd over the two quantities, ln N*(C) and ln L*(C), and over draws of the
law (pseudo-Bayesian design, ibid. chapter 18): halving either spread counts the same, and no single law is taken for
the truth.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

import numpy as np

from sixnd.planner.laws import Array, Surface

_PASSES = 30
"""Rounds of exchanges; each improves the criterion, and they end by themselves long before."""
_PRICES = np.geomspace(30.0, 0.1, 9)
"""What the whole budget costs in units of the criterion, from dear to cheap: where the search starts from."""
_SLACK = 1 + 1e-9


@dataclass(frozen=True)
class Points:
    """Possible or chosen runs, as arrays of one length."""

    params: Array
    tokens: Array
    cost: Array
    """In the unit of the budget."""

    def __len__(self) -> int:
        return len(self.params)

    def take(self, chosen: Sequence[int]) -> "Points":
        """Those at the given places."""
        at = _places(chosen)
        return Points(self.params[at], self.tokens[at], self.cost[at])

    def and_also(self, others: "Points") -> "Points":
        """These, then the others."""
        pairs = ((getattr(self, name), getattr(others, name)) for name in ("params", "tokens", "cost"))
        return Points(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True)
class Aim:
    """What the runs shall tell, and what is known before them."""

    surface: Surface
    """Draws of the law, one value each."""
    compute: float
    """C = 6ND of the target, FLOPs."""
    precision: Array
    """Inverse covariance of θ before any run."""
    noise_sd: float
    """Standard deviation of the log loss of one run around the law."""


@dataclass(frozen=True)
class Limits:
    """What a design may spend."""

    budget: float
    runs: int
    replicates: int = 2
    """Runs at one and the same point: a fit needs more points than constants."""


def loss_gradient(surface: Surface, params: Array, tokens: Array) -> Array:
    """J = d ln L/dθ at each (N, D) for each draw: shape (draws, points, 5); γ is taken as known."""
    s = _columns(surface)
    of_N, of_D = s.A * params**-s.alpha, s.B * tokens**-s.beta
    steeper = s.gamma * (of_N + of_D) ** (s.gamma - 1)
    parts = (
        steeper * of_N,
        steeper * of_D,
        s.E + 0 * of_N,
        -steeper * of_N * np.log(params),
        -steeper * of_D * np.log(tokens),
    )
    return np.stack(parts, axis=-1) / (s.E + (of_N + of_D) ** s.gamma)[..., None]


def optimum_gradient(surface: Surface, compute: float) -> Array:
    """Gradients of ln N*(C) and of ln L*(C) in θ for each draw: shape (2, draws, 5).

    L* moves with θ as L does at fixed N* and D*, since it is stationary there.
    """
    alpha, beta = np.asarray(surface.alpha), np.asarray(surface.beta)
    both, log_ND = alpha + beta, np.log(compute / 6)
    log_ratio = np.log(alpha * surface.A) - np.log(beta * surface.B)
    by_alpha = 1 / (alpha * both) - (log_ratio + beta * log_ND) / both**2
    by_beta = -1 / (beta * both) - (log_ratio - alpha * log_ND) / both**2
    of_N = np.stack([1 / both, -1 / both, 0 * both, by_alpha, by_beta], axis=-1)
    params = np.asarray(surface.optimal_params(compute))[:, None]
    return np.stack([of_N, loss_gradient(surface, params, compute / 6 / params)[:, 0]])


def _columns(surface: Surface) -> Surface:
    """Every constant as a column, so that it meets a row of points."""
    return Surface(*(one if np.ndim(one) == 0 else one[:, None] for one in astuple(surface)))


def _places(chosen: Sequence[int]) -> "np.ndarray[tuple[int], np.dtype[np.intp]]":
    return np.asarray(chosen, dtype=np.intp)


class Designer:
    """The criterion over a set of possible runs, and the search for the best design."""

    def __init__(self, aim: Aim, possible: Points) -> None:
        self.aim, self.possible = aim, possible
        self.J = loss_gradient(aim.surface, possible.params, possible.tokens) / aim.noise_sd
        self.c = optimum_gradient(aim.surface, aim.compute)

    def covariance(self, chosen: Sequence[int]) -> Array:
        """Covariance of θ after the chosen runs, for each draw."""
        J = self.J[:, _places(chosen)]
        return np.asarray(np.linalg.inv(self.aim.precision + np.swapaxes(J, 1, 2) @ J))

    def log_sds(self, chosen: Sequence[int]) -> Array:
        """Expected ln sd of ln N* and of ln L* after the chosen runs: the mean over draws."""
        return np.asarray(np.log(self._variances(self.covariance(chosen))).mean(axis=1) / 2)

    def criterion(self, chosen: Sequence[int]) -> float:
        """Mean of the two expected ln sds: what a design makes small."""
        return float(self.log_sds(chosen).mean())

    def best(self, limits: Limits, starts: Sequence[Sequence[int]] = ()) -> list[int]:
        """The best design found within the limits, as places among the possible runs; empty where none is.

        Exchanges at a falling price for cost give starts beside those given; exchanges within the budget (Fedorov:
        Theory of Optimal Experiments, 1972) improve each, so it is never worse than a given start.
        """
        tried = [*(list(start) for start in starts if self._affordable(start, limits)), *self._starts(limits)]
        improved = [self._exchanged(start, limits) for start in tried]
        if not improved:
            return []
        return sorted(improved[int(np.argmin([self.criterion(design) for design in improved]))])

    def _starts(self, limits: Limits) -> list[list[int]]:
        """Designs within the budget, each the best found at some price of compute."""
        cheapest = np.argsort(self.possible.cost, kind="stable")
        design = np.repeat(cheapest, limits.replicates)[: limits.runs].tolist()
        found = [design] if self._affordable(design, limits) else []
        for price in _PRICES:
            design = self._exchanged(design, replace(limits, budget=np.inf), price / limits.budget)
            if not self._affordable(design, limits):
                break
            found.append(design)
        return found

    def _affordable(self, design: Sequence[int], limits: Limits) -> bool:
        return float(self.possible.cost[_places(design)].sum()) <= limits.budget * _SLACK

    def _exchanged(self, start: Sequence[int], limits: Limits, price: float = 0.0) -> list[int]:
        """Replace one run at a time by the best other one until nothing is gained."""
        design = list(start)
        for _ in range(_PASSES):
            before = sorted(design)
            for place in range(limits.runs):  # a place beyond the design's end is one to fill
                rest = design[:place] + design[place + 1 :]
                design = [*rest[:place], *self._best_addition(rest, limits, price), *rest[place:]]
            if before == sorted(design):
                break
        return design

    def _best_addition(self, rest: Sequence[int], limits: Limits, price: float) -> list[int]:
        """The run that helps most beside the rest, or none where the budget has no room for any."""
        values = self._after_one_more(rest) + price * self.possible.cost
        left = limits.budget - self.possible.cost[_places(rest)].sum()
        often = np.bincount(_places(rest), minlength=len(self.possible)) >= limits.replicates
        values = np.where(often | (self.possible.cost > left * _SLACK), np.inf, values)
        best = int(np.argmin(values))
        return [best] if np.isfinite(values[best]) else []

    def _after_one_more(self, rest: Sequence[int]) -> Array:
        """The criterion after each possible run is added to the rest: one rank-one update each."""
        P = self.covariance(rest)
        PJ = self.J @ P
        along = PJ @ np.moveaxis(self.c, 0, -1)  # (draws, points, 2)
        gained = along**2 / (1 + (self.J * PJ).sum(axis=-1))[..., None]
        variances = self._variances(P).T[:, None, :] - gained
        return np.asarray(np.log(variances).mean(axis=(0, 2)) / 2)

    def _variances(self, covariance: Array) -> Array:
        """Variances of ln N* and ln L*: (2, draws)."""
        return np.asarray(np.einsum("qsi,sij,qsj->qs", self.c, covariance, self.c))
