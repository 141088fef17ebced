"""Mixtures of experts inside the range of their laws: what experts are worth, and how to spend compute on them."""

from dataclasses import dataclass

import numpy as np

from sixnd.planner.laws import Surface
from sixnd.specs.errors import InfeasibleError
from sixnd.specs.laws import GranularMoeLaw, RoutedMoeLaw

_FFN_SHARE = 2 / 3
"""Share of a dense layer's parameters that its feed-forward holds (12 h²: 4 in attention, 8 in the feed-forward)."""


@dataclass(frozen=True)
class MoeAllocation:
    """The best mixture of experts for a compute budget under its law."""

    active_params: float
    """Parameters a token passes through."""
    total_params: float
    tokens: float
    granularity: float
    loss: float


def effective_experts(law: RoutedMoeLaw, experts: float) -> float:
    """Ê, the number of experts after saturation at both ends (Clark et al. 2022, eq. 7)."""
    span = 1 / (1 / law.experts_start - 1 / law.experts_max)
    return 1 / (1 / (experts - 1 + span) + 1 / law.experts_max)


def routed_loss(law: RoutedMoeLaw, params: float, experts: float) -> float:
    """Loss (nats) of a dense model of N parameters whose feed-forwards are routed to E experts, at the law's D."""
    _within(law, params, experts)
    log_N, log_E = np.log10(params), np.log10(effective_experts(law, experts))
    return float(10 ** (law.a * log_N + law.b * log_E + law.c * log_N * log_E + law.d))


def dense_equivalent(law: RoutedMoeLaw, params: float, experts: float) -> float:
    """N of the model with one expert that would have the same loss: what the experts are worth at equal compute."""
    log_loss = np.log10(routed_loss(law, params, experts))
    log_E1 = np.log10(effective_experts(law, 1))
    return float(10 ** ((log_loss - law.d - law.b * log_E1) / (law.a + law.c * log_E1)))


def _within(law: RoutedMoeLaw, params: float, experts: float) -> None:
    assert law.fitted_params is not None
    low, high = law.fitted_params
    if not (low <= params <= high and 1 <= experts <= law.largest_experts):
        raise InfeasibleError(
            f"the law of routed experts was fitted from {low:.3g} to {high:.3g} parameters and up to "
            f"{law.largest_experts:g} experts; {params:.3g} parameters with {experts:g} experts lie outside, where it "
            "is known to be wrong",
            "ask inside that range",
        )


def granular_surface(law: GranularMoeLaw, granularity: float) -> Surface:
    """The loss surface over total N and D at one granularity (Krajewski et al. 2024, eq. 9)."""
    if not 1 <= granularity <= law.largest_granularity:
        raise InfeasibleError(
            f"granularity {granularity:g} lies outside what the law was fitted on (1 to {law.largest_granularity:g})",
            "ask inside that range",
        )
    return Surface(law.c, law.g / granularity**law.gamma + law.a, law.b, law.alpha, law.beta)


def granular_allocation(law: GranularMoeLaw, compute: float, granularity: float) -> MoeAllocation:
    """Active and total parameters and tokens for a compute budget C = 6·N_active·D, routing not counted."""
    surface = granular_surface(law, granularity)
    ratio = 1 + _FFN_SHARE * (law.expansion - 1)
    total = float(surface.optimal_params(compute * ratio))
    tokens = compute * ratio / 6 / total
    return MoeAllocation(total / ratio, total, tokens, granularity, float(surface.loss(total, tokens)))
