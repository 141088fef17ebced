"""A small fitted law to report on: four budgets of five sizes around a known surface. Its noise is not measured."""

import math
from functools import cache
from typing import Any

import numpy as np

from sixnd.specs.law_document import LawDocument

E, A, B, ALPHA, BETA = 1.8, 480.0, 2100.0, 0.35, 0.37
BUDGETS = (1e18, 1e19, 1e20, 1e21)
_NOISE = (0.004, -0.003, 0.001, -0.002, 0.003)
OUTLIER = 7
_DRAWS = 100


def loss(N: float, D: float) -> float:
    return E + A / N**ALPHA + B / D**BETA


@cache
def optimum(compute: float, shift: float = 0.0) -> tuple[float, float, float]:
    """By search along the budget, not by the closed form that reports use."""
    sizes = np.geomspace(1e6, 1e13, 70_001)
    N = float(sizes[np.argmin(E + A / sizes**ALPHA + B / (compute / 6 / sizes) ** BETA)]) * math.exp(shift)
    return N, compute / 6 / N, loss(N, compute / 6 / N)


def law(**changes: Any) -> LawDocument:
    """The law as a fit would write it; ``changes`` replace parts of its fit."""
    runs = _runs()
    computes = np.geomspace(BUDGETS[0], 100 * BUDGETS[-1], 21).tolist()
    parabolas = [_parabola(i, runs) for i in range(len(BUDGETS))]
    fit = {
        "form": "chinchilla",
        "data": "runs.csv (N=params, D=tokens, L=loss)",
        "data_sha256": "ab" * 32,
        "estimator": "huber",
        "delta": 1e-3,
        "objective": 3.1e-5,
        "leave_one_out_error": float(np.median([abs(run["left_out"] / run["loss"] - 1) for run in runs])),
        "convergence": {"starts": 31, "reached": 30, "best_other": 3.5e-5, "gradient": 2e-12},
        "interval_method": "noise drawn anew at the 20 runs",
        "warnings": [f"{runs[OUTLIER]['row']} is an outlier: +3.0 % from the fit; it stays in"],
        "runs": runs,
        "refused": [{"row": "runs.csv:22", "why": "L is nan: a run that diverged or was not measured tells nothing"}],
        "frontier": [_frontier(compute) for compute in computes],
        "parabolas": parabolas,
        "approaches": [_approach(parabolas)],
    }
    return LawDocument.model_validate(
        {"version": "law/1", "name": "ladder", "sixnd_version": "0.1.0", "law": _surface(), "fit": fit | changes}
    )


def bare_law() -> LawDocument:
    """Five runs: no draws, no budgets, nothing refused."""
    frontier = [_frontier(compute) | {"intervals": {}} for compute in (1e18, 1e19, 1e20)]
    made = law(
        runs=_runs()[:5],
        frontier=frontier,
        parabolas=[],
        approaches=[],
        refused=[],
        warnings=[],
        interval_method="none: too few",
    )
    surface = made.law.model_copy(update={"draws": None, "residual_sd": None, "log_covariance": None})
    return made.model_copy(update={"law": surface})


def large_law(count: int = 6000) -> LawDocument:
    """More runs than a chart draws, the last by far the worst."""
    rng = np.random.default_rng(1)
    sizes, noise = np.exp(rng.uniform(17, 22, count)), 0.005 * rng.standard_normal(count)
    noise[-1] = 0.2
    rows = [_run(i, N, 20 * N, float(noise[i])) for i, N in enumerate(sizes.tolist())]
    return law(runs=rows, parabolas=[], approaches=[])


def _runs() -> list[dict[str, Any]]:
    rows = []
    for b, compute in enumerate(BUDGETS):
        for k, factor in enumerate((0.25, 0.5, 1.0, 2.0, 4.0)):
            N = optimum(compute)[0] * factor
            place = 5 * b + k
            noise = 0.03 if place == OUTLIER else _NOISE[(b + k) % 5] * (1 + 0.02 * place)
            rows.append(_run(place, N, compute / 6 / N, noise))
    return rows


def _run(place: int, N: float, D: float, noise: float) -> dict[str, Any]:
    truth = loss(N, D)
    return {
        "row": f"runs.csv:{place + 2}",
        "params": N,
        "tokens": D,
        "loss": truth * math.exp(noise),
        "predicted": truth,
        "left_out": truth * math.exp(-0.2 * noise),
        "outlier": abs(noise) > 0.02,
    }


def _surface() -> dict[str, Any]:
    spread = np.array([0.05, 0.06, 0.01, 0.004, 0.005])
    center = np.array([math.log(A), math.log(B), math.log(E), ALPHA, BETA])
    turns = np.sin(np.outer(np.arange(_DRAWS), np.sqrt([2, 3, 5, 7, 11])))
    return {
        "form": "chinchilla",
        "description": "fitted to 20 runs of runs.csv",
        "counts": "N, D and C as the runs were given; C = 6ND",
        "weakness": "holds for the corpus, tokenizer and recipe of its runs",
        "source": "sixnd fit",
        "E": E,
        "A": A,
        "B": B,
        "alpha": ALPHA,
        "beta": BETA,
        "draws": (center + spread * turns).tolist(),
        "residual_sd": 0.003,
    }


def _frontier(compute: float) -> dict[str, Any]:
    N, D, lowest = optimum(compute)
    far = 0.05 + 0.03 * abs(math.log10(compute / 1e20))
    return {
        "C": compute,
        "N": N,
        "D": D,
        "L": lowest,
        "intervals": {
            "N": [N * math.exp(-far), N * math.exp(far)],
            "D": [D * math.exp(-far), D * math.exp(far)],
            "L": [lowest - far / 20, lowest + far / 20],
            "tokens_per_param": [D / N * math.exp(-2 * far), D / N * math.exp(2 * far)],
        },
    }


def _parabola(budget: int, runs: list[dict[str, Any]]) -> dict[str, Any]:
    places = [5 * budget + k for k in range(5)]
    x = np.log([runs[place]["params"] for place in places])
    c2, c1, c0 = np.polyfit(x, [runs[place]["loss"] for place in places], 2).tolist()
    lowest = -c1 / (2 * c2)
    return {
        "C": BUDGETS[budget],
        "coefficients": [c0, c1, c2],
        "N": math.exp(lowest),
        "L": c0 + c1 * lowest + c2 * lowest**2,
        "runs": places,
    }


def _approach(parabolas: list[dict[str, Any]]) -> dict[str, Any]:
    ln_C = np.log([curve["C"] for curve in parabolas])
    slope, intercept = np.polyfit(ln_C, np.log([curve["N"] for curve in parabolas]), 1).tolist()
    return {
        "approach": 2,
        "coefficient": math.exp(intercept),
        "exponent": slope,
        "exponent_interval": [slope - 0.03, slope + 0.03],
        "tokens_coefficient": math.exp(-intercept) / 6,
        "tokens_exponent": 1 - slope,
        "points": [[curve["C"], curve["N"]] for curve in parabolas],
        "bias": 0.021,
    }
