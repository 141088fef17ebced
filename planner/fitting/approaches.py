"""Chinchilla's first two approaches beside the surface, wherever the runs allow them."""

from dataclasses import dataclass

import numpy as np

from sixnd.planner.fitting.envelope import fit_envelope
from sixnd.planner.fitting.isoflop import IsoflopFit, fit_isoflops
from sixnd.planner.fitting.isoflop_bias import bias_on_runs
from sixnd.planner.fitting.power_law import PowerLaw
from sixnd.planner.fitting.runs import Array, Runs
from sixnd.planner.laws import Surface
from sixnd.specs.errors import UnfitRunsError
from sixnd.specs.law_document import Approach, Parabola

TOLERANCE = 0.05
"""Runs whose ln C lies so close to the next belong to one budget."""
_DRAWS = 400
_FEWEST_BUDGETS = 3
"""Through two points a line always goes: it says nothing."""


@dataclass(frozen=True)
class Beside:
    """What stands beside the surface."""

    approaches: list[Approach]
    """Approach 1 where the runs' points lie on named training curves, approach 2 where they share budgets."""
    parabolas: list[Parabola]
    """The isoFLOP curves of the runs; none where they share no budgets."""
    notes: list[str]
    """What keeps some of the curves from counting."""


def beside(runs: Runs, compute: Array, curves: list[str], surface: Surface) -> Beside:
    """Chinchilla's other approaches to the same runs."""
    first, found = _approach_1(runs, compute, curves), _isoflops(runs, compute)
    if found is None:
        return Beside(first, [], [])
    second = _approach_2(found, runs, surface, float(compute.max()))
    return Beside([*first, *second], _parabolas(found), _left_out(found))


def _parabolas(found: IsoflopFit) -> list[Parabola]:
    return [
        Parabola(
            C=p.compute,
            coefficients=_coefficients(p.loss, p.curvature, float(np.log(p.params))),
            N=p.params,
            L=p.loss,
            runs=list(p.rows),
            left_out=p.left_out,
        )
        for p in found.parabolas
        if np.isfinite([p.params, p.loss, p.curvature]).all()
    ]


def _left_out(found: IsoflopFit) -> list[str]:
    notes = found.notes
    if not notes:
        return []
    return [
        f"approach 2 leaves out {len(notes)} of {len(found.parabolas)} groups of equal compute; the first: {notes[0]}"
    ]


def _coefficients(loss: float, curvature: float, center: float) -> list[float]:
    return [loss + curvature * center**2, -2 * curvature * center, curvature]


def _approach_1(runs: Runs, compute: Array, curves: list[str]) -> list[Approach]:
    if not all(curves) or len(set(curves)) == len(curves):
        return []
    try:
        found = fit_envelope(runs, curves, compute, count=_DRAWS)
    except UnfitRunsError:
        return []
    points = list(zip(found.compute[::100].tolist(), found.best_params[::100].tolist(), strict=True))
    return [_approach(1, found.params, found.tokens, points, None)]


def _approach_2(found: IsoflopFit, runs: Runs, surface: Surface, largest_compute: float) -> list[Approach]:
    points = [(p.compute, p.params) for p in found.parabolas if not p.left_out]
    if len(points) < _FEWEST_BUDGETS:
        return []
    return [_approach(2, found.params, found.tokens, points, _bias(runs, surface, largest_compute))]


def _bias(runs: Runs, surface: Surface, compute: float) -> float | None:
    try:
        return bias_on_runs(surface, runs, tolerance=TOLERANCE).params_ratio(compute) - 1
    except UnfitRunsError:
        return None


def _isoflops(runs: Runs, compute: Array) -> IsoflopFit | None:
    try:
        return fit_isoflops(runs, compute, tolerance=TOLERANCE, count=_DRAWS)
    except UnfitRunsError:
        return None


def _approach(
    number: int, params: PowerLaw, tokens: PowerLaw, points: list[tuple[float, float]], bias: float | None
) -> Approach:
    return Approach.model_validate(
        {
            "approach": number,
            "coefficient": params.coefficient,
            "exponent": params.exponent,
            "exponent_interval": list(params.exponent_interval()),
            "tokens_coefficient": tokens.coefficient,
            "tokens_exponent": tokens.exponent,
            "points": points,
            "bias": bias,
        }
    )
