"""What each law would choose for a budget: laws disagree, and the user must see it."""

from sixnd.planner import laws
from sixnd.planner.laws import Interval
from sixnd.planner.moe import granular_allocation
from sixnd.specs import catalog
from sixnd.specs.laws import (
    AllocationLaw,
    GranularMoeLaw,
    KaplanSurfaceLaw,
    LawEntry,
    NamedLaw,
    PowerLossLaw,
    RepetitionLaw,
    SurfaceLaw,
)
from sixnd.specs.plan import LawChoice

_DISTRUSTED = ("sardana-2024-ratio-",)
"""Entries that show how a fit depends on its runs, not how to spend a budget."""


def law_choices(compute: float, own: NamedLaw | None = None) -> list[LawChoice]:
    """N, D and loss by every law that says something about a budget C = 6ND in FLOPs; a law of one's own first."""
    known = [(name, catalog.law(name)) for name in catalog.names("laws") if not name.startswith(_DISTRUSTED)]
    if own is not None and own.name not in catalog.names("laws"):
        known.insert(0, (own.name, own.law))
    found = [_choice(name, law, compute) for name, law in known]
    return [choice for choice in found if choice is not None]


def kaplan_optimal_params(law: KaplanSurfaceLaw, compute: float) -> float:
    """N that minimises Kaplan's joint loss under C = 6ND: the derivative of its bracket set to zero."""
    power = law.alpha_N / law.alpha_D
    return float((power * law.N_c**power * compute / (6 * law.D_c)) ** (1 / (power + 1)))


def kaplan_loss(law: KaplanSurfaceLaw, params: float, tokens: float) -> float:
    """L(N, D) in nats (Kaplan et al. 2020, eq. 1.5)."""
    return float(((law.N_c / params) ** (law.alpha_N / law.alpha_D) + law.D_c / tokens) ** law.alpha_D)


def power_loss(law: PowerLossLaw, value: float) -> float:
    """L(x) = offset + (scale / x)^exponent, nats."""
    return float(law.offset + (law.scale / (value / law.unit)) ** law.exponent)


def allocated_params(law: AllocationLaw, compute: float) -> float:
    """N*, or a sixth of the FLOPs a token, for a budget in FLOPs."""
    size = law.coefficient * (compute / law.unit) ** law.exponent
    return float(size / 6 if law.size == "flops-per-token" else size)


def _choice(name: str, law: LawEntry, compute: float) -> LawChoice | None:
    if isinstance(law, SurfaceLaw):
        return _by_surface(name, law, compute)
    if isinstance(law, RepetitionLaw):
        surface = laws.surface(law)
        params = float(surface.optimal_params(compute))
        return _at(name, law, compute, params, float(surface.loss(params, compute / 6 / params)), "unlimited data")
    if isinstance(law, KaplanSurfaceLaw):
        params = kaplan_optimal_params(law, compute)
        return _at(name, law, compute, params, kaplan_loss(law, params, compute / 6 / params), "N without embeddings")
    if isinstance(law, AllocationLaw):
        return _at(name, law, compute, allocated_params(law, compute), None, "")
    if isinstance(law, PowerLossLaw) and law.variable == "compute":
        return LawChoice(law=name, loss=power_loss(law, compute), note="its own recipe")
    if isinstance(law, GranularMoeLaw):
        found = granular_allocation(law, compute, law.largest_granularity)
        return LawChoice(
            law=name,
            params=found.active_params,
            tokens=found.tokens,
            loss=found.loss,
            decades_outside=laws.decades_outside(law, found.total_params, found.tokens),
            note=f"mixture of experts: N active, {found.total_params:.3g} in all",
        )
    return None


def _by_surface(name: str, law: SurfaceLaw, compute: float) -> LawChoice:
    best = laws.optimum(law, compute)
    choice = _at(name, law, compute, best.params, best.loss, "two-digit exponents" if law.rounded else "")
    return choice.model_copy(
        update={
            "params_interval": _pair(laws.params_interval(law, compute)),
            "loss_interval": _pair(laws.loss_interval(law, best.params, best.tokens)),
        }
    )


def _at(name: str, law: LawEntry, compute: float, params: float, loss: float | None, note: str) -> LawChoice:
    tokens = compute / 6 / params
    outside = laws.decades_outside(law, params, tokens)
    return LawChoice(law=name, params=params, tokens=tokens, loss=loss, decades_outside=outside, note=note)


def _pair(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]
