"""Loss against compute under the plan's law, for the chart that shows where the plan stands."""

import math

from sixnd.reports.documents import CurvePoint, LawCurve
from sixnd.specs import catalog
from sixnd.specs.laws import RepetitionLaw, SurfaceLaw
from sixnd.specs.plan import Plan

_POINTS = 60
_DECADES_BEYOND = 1.0


def law_curve(plan: Plan) -> LawCurve:
    """The compute-optimal frontier over the law's fitted range and the plan, a decade beyond on both sides."""
    planned = plan.budget.compute_flops
    law = known_law(plan)
    if law is None or law.fitted_compute is None:
        return LawCurve(law=plan.law, points=[], fitted_low_flops=None, fitted_high_flops=None, planned_flops=planned)
    low, high = law.fitted_compute
    start, stop = math.log10(min(low, planned)) - _DECADES_BEYOND, math.log10(max(high, planned)) + _DECADES_BEYOND
    computes = [10 ** (start + (stop - start) * i / (_POINTS - 1)) for i in range(_POINTS)]
    points = [CurvePoint(compute_flops=c, loss=optimal_loss(law, c)) for c in computes]
    return LawCurve(law=plan.law, points=points, fitted_low_flops=low, fitted_high_flops=high, planned_flops=planned)


def known_law(plan: Plan) -> SurfaceLaw | None:
    """The law as the plan knew it: carried by its spec, or in a catalog that has not changed since."""
    carried = not isinstance(plan.spec.law, str)
    return plan.spec.planning_law.law if carried or plan.catalog_sha256 == catalog.sha256() else None


def optimal_loss(law: SurfaceLaw, compute_flops: float) -> float:
    """Lowest loss, nats per token, of any N and D with 6ND = C."""
    return optimum(law, compute_flops)[2]


def optimum(law: SurfaceLaw | RepetitionLaw, compute_flops: float) -> tuple[float, float, float]:
    """(N, D, loss) of the lowest loss with 6ND = C and no token read twice: Hoffmann et al. 2022, eq. 4."""
    G = (law.alpha * law.A / (law.beta * law.B)) ** (1 / (law.alpha + law.beta))
    N = G * (compute_flops / 6) ** (law.beta / (law.alpha + law.beta))
    D = compute_flops / 6 / N
    gamma = law.gamma if isinstance(law, SurfaceLaw) else 1.0
    return N, D, law.E + (law.A / N**law.alpha + law.B / D**law.beta) ** gamma
