"""The allocator: N and D for a budget, for a target loss, for a model that will serve, for data that repeats.

All answers are points of one curve: those at which a FLOP spent on N buys as much loss as one spent on D. With ε_N
and ε_D the loss that one e-fold of N or D is worth, and D_inf tokens served at 2N FLOPs each, it is
ε_N / ε_D = 1 + D_inf / (3 D) (Sardana et al. 2024, from 6ND + 2N·D_inf at a given loss; without serving, Hoffmann et
al. 2022, eq. 4). The budget or the target loss picks the point.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from sixnd.planner.laws import Array, Numbers, Surface
from sixnd.specs.errors import InfeasibleError
from sixnd.specs.laws import LARGEST_LOG

_STEPS = 60
"""Bisection steps: the bracket of ln N shrinks to less than a part in 1e15 of itself."""


class Worth(Protocol):
    """What tokens and parameters are worth to the loss when data repeats."""

    def tokens(self, tokens: Numbers) -> Numbers:
        """Unique tokens that ``tokens`` read are worth."""
        ...

    def params(self, params: Numbers) -> Numbers:
        """Parameters that ``params`` are worth on the data there is."""
        ...

    def log_tokens_slope(self, tokens: Numbers) -> Numbers:
        """Ln (d ln worth / d ln tokens)."""
        ...

    def log_params_slope(self, params: Numbers) -> Numbers:
        """Ln (d ln worth / d ln params)."""
        ...


@dataclass(frozen=True)
class FullWorth:
    """Every token is new: all are worth themselves."""

    def tokens(self, tokens: Numbers) -> Numbers:
        """All of them."""
        return tokens

    def params(self, params: Numbers) -> Numbers:
        """All of them."""
        return params

    def log_tokens_slope(self, tokens: Numbers) -> Numbers:  # noqa: ARG002
        """Zero."""
        return 0.0

    def log_params_slope(self, params: Numbers) -> Numbers:  # noqa: ARG002
        """Zero."""
        return 0.0


@dataclass(frozen=True)
class Question:
    """What is asked of the law, and what the answer must reckon with."""

    surface: Surface
    worth: Worth = field(default_factory=FullWorth)
    served_tokens: float = 0.0
    """Tokens served over the model's life, each weighted by what its FLOPs cost relative to training's."""

    def loss(self, params: Numbers, tokens: Numbers) -> Numbers:
        """L at N and D, nats per token, with repetition."""
        return self.surface.loss(self.worth.params(params), self.worth.tokens(tokens))


def served_tokens(
    input_tokens: float, output_tokens: float, *, input_cost: float = 1.0, output_cost: float = 1.0
) -> float:
    """Tokens served, weighted by the cost of their FLOPs over training's (Sardana et al. 2024, eq. 6).

    A cost is training's MFU over serving's, times serving's price an accelerator-hour over training's.
    """
    return input_tokens * input_cost + output_tokens * output_cost


def params_for_compute(question: Question, compute: Numbers) -> Numbers:
    """N of the best model whose training spends C = 6ND; one value a draw."""
    return _bisect(lambda log_N: _n_worth_more(question, log_N, np.log(compute / 6)), _shape(question))


def compute_for_loss(question: Question, target: float) -> Numbers:
    """Least training compute, FLOPs, that reaches a loss (with serving: at least lifetime cost); one value a draw.

    Raises ``InfeasibleError`` where no compute reaches it: the target lies at or below the irreducible loss.
    """
    E = np.asarray(question.surface.E)
    if E.ndim == 0 and target <= E:
        raise InfeasibleError(
            f"no compute reaches a loss of {target:g}: the law's irreducible loss is {float(E):.4f}",
            "ask for a higher loss",
        )

    def too_little(log_C: Array) -> Array:
        params = _bisect(lambda log_N: _n_worth_more(question, log_N, log_C - np.log(6)), _shape(question))
        return np.asarray(question.loss(params, np.exp(log_C) / 6 / params) > target)

    return np.where(target > E, _bisect(too_little, _shape(question)), np.inf)[()]


def tokens_for_loss(question: Question, params: Array, target: float) -> Array:
    """D with which each N reaches the target loss; infinite where it never does."""
    found = np.asarray(
        _bisect(lambda log_D: np.asarray(question.loss(params, np.exp(log_D)) > target), np.shape(params))
    )
    return np.where(question.loss(params, found * (1 + 1e-9)) <= target, found, np.inf)


def _n_worth_more(question: Question, log_N: Array, log_ND: Numbers) -> Array:
    """Whether a larger N would buy more than the D it costs."""
    s, N, D = question.surface, np.exp(log_N), np.exp(log_ND - log_N)
    log_of_N = np.log(s.alpha * s.A) - s.alpha * np.log(question.worth.params(N))
    log_of_D = np.log(s.beta * s.B) - s.beta * np.log(question.worth.tokens(D))
    log_of_N = log_of_N + question.worth.log_params_slope(N)
    log_of_D = log_of_D + question.worth.log_tokens_slope(D)
    return np.asarray(log_of_N > log_of_D + np.log1p(question.served_tokens / (3 * D)))


def _bisect(rising: Callable[[Array], Array], shape: tuple[int, ...]) -> Numbers:
    low, high = np.full(shape, -LARGEST_LOG), np.full(shape, LARGEST_LOG)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        up = rising(middle)
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    found: Numbers = np.exp((low + high) / 2)[()]
    return found


def _shape(question: Question) -> tuple[int, ...]:
    return np.broadcast_shapes(np.shape(question.surface.A), np.shape(question.surface.alpha))
