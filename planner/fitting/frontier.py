"""The compute-optimal frontier of a fitted surface, with intervals from draws."""

import numpy as np

from sixnd.planner.fitting.runs import Array
from sixnd.planner.fitting.surface import as_surface
from sixnd.planner.laws import Surface
from sixnd.specs.law_document import Frontier

_LEVEL = 0.95


def frontier(surface: Surface, theta: Array, computes: Array) -> list[Frontier]:
    """N*, D* and L at each compute C = 6ND (FLOPs); ``theta`` (R, 5 or 6) may be empty: no interval then."""
    return [_at(surface, theta, float(compute)) for compute in computes]


def _at(surface: Surface, theta: Array, compute: float) -> Frontier:
    best = {name: float(value) for name, value in _answer(surface, compute).items()}
    drawn = _answer(as_surface(theta), compute) if len(theta) else {}
    return Frontier(
        C=compute,
        N=best["N"],
        D=best["D"],
        L=best["L"],
        intervals={name: _interval(values) for name, values in drawn.items()},
    )


def _answer(surface: Surface, compute: float) -> dict[str, Array]:
    params = np.asarray(surface.optimal_params(compute))
    tokens = compute / 6 / params
    loss = np.asarray(surface.loss(params, tokens))
    return {"N": params, "D": tokens, "L": loss, "tokens_per_param": tokens / params}


def _interval(values: Array) -> list[float]:
    low, high = np.quantile(values, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return [float(low), float(high)]
