"""Train a ladder of small models on this CPU and fit the law that plans the quickstart.

    python -m tests.benchmarks.cpu_ladder RUNS_FOLDER > ladder.json

About half an hour on two cores. Runs that RUNS_FOLDER already holds finished are not trained again. The JSON has
each run's N, D, final validation loss and median step time, and a law entry for `specs/catalogs/laws.yaml`:
L = E + A/N^alpha + B/D^beta by least squares on log loss, its covariance from 1,000 resamples of the runs.
"""

import json
import statistics
import sys
from pathlib import Path

import numpy as np

from sixnd.planner.plan import make_plan
from sixnd.runner.launch import run_plan
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.record import read_record

SIZES = {4e5: (3e5, 9e5, 2.4e6), 8e5: (2e5, 5e5, 1.2e6), 1.5e6: (1.5e5, 3.5e5, 8e5), 3.4e6: (1e5, 2.5e5)}
EVALUATION_TOKENS = 65_536
EXPONENTS = np.linspace(0.05, 1.2, 47)
RESAMPLES = 1000


def spec(params: float, tokens: float, **training: float) -> BudgetSpec:
    """One rung: the quickstart's text, vocabulary and sequence length at another size and length."""
    sources = {"code": ("python-stdlib", 2), "docs": ("installed-docs", 2), "plays": ("shakespeare", 1)}
    return BudgetSpec.model_validate(
        {
            "version": "budget/1",
            "name": f"ladder-{params:.0e}-{tokens:.0e}".replace("+", ""),
            "budget": {"compute": 6 * params * tokens},
            "cluster": {"accelerators": "1 x cpu-2core"},
            "model": {"params": params, "sequence_length": 256, "vocab_size": 4096},
            "data": {
                "sources": [{"name": n, "recipe": r, "weight": w} for n, (r, w) in sources.items()],
                "validation_fraction": 1e-4,
            },
            "training": training,
            "evaluation": {"every_steps": 100_000},
        }
    )


def with_evaluation(rung: BudgetSpec) -> BudgetSpec:
    """The rung with as many validation batches as make ``EVALUATION_TOKENS``, whatever its batch."""
    plan = make_plan(rung)
    batch = plan.training.global_batch * plan.model.sequence_length
    batches = max(1, round(EVALUATION_TOKENS / batch))
    return rung.model_copy(update={"evaluation": rung.evaluation.model_copy(update={"batches": batches})})


def train(rung: BudgetSpec, runs_dir: Path) -> dict[str, float]:
    """Train one rung; return what the fits need."""
    plan = make_plan(with_evaluation(rung))
    folder = run_plan(plan, runs_dir=runs_dir, base_dir=Path(), progress=True)
    record = read_record(folder / "record.jsonl")
    steps = record.steps()
    return {
        "N": plan.model.params,
        "D": plan.data.tokens,
        "L": record.validations()[-1].loss,
        "hidden": plan.model.shape.hidden,
        "layers": plan.model.shape.layers,
        "global_batch": plan.training.global_batch,
        "micro_batch": plan.layout.micro_batch,
        "step_time_s": statistics.median(step.step_time_s for step in steps[3:]),
        "planned_step_time_s": plan.estimates.step_time_s.value,
        "memory_bytes": max(step.memory_bytes for step in steps),
        "planned_memory_bytes": plan.estimates.memory_bytes.value,
    }


def fit(N: np.ndarray, D: np.ndarray, L: np.ndarray) -> np.ndarray:
    """(ln A, ln B, ln E, alpha, beta) with least squared relative residuals, over a grid of exponents.

    For given exponents the law is linear in E, A and B: one small least-squares problem, rows divided by the loss.
    """
    best, best_error = np.zeros(5), np.inf
    for alpha in EXPONENTS:
        for beta in EXPONENTS:
            design = np.stack([np.ones_like(L), N**-alpha, D**-beta], axis=1) / L[:, None]
            solution, *_ = np.linalg.lstsq(design, np.ones_like(L), rcond=None)
            if (solution <= 1e-3).any():
                continue
            error = float(((design @ solution - 1) ** 2).sum())
            if error < best_error:
                best, best_error = np.array([*np.log(solution[[1, 2, 0]]), alpha, beta]), error
    return best


def law_entry(runs: list[dict[str, float]]) -> dict[str, object]:
    """The catalog entry that these runs make."""
    N, D, L = (np.array([run[key] for run in runs]) for key in ("N", "D", "L"))
    point = fit(N, D, L)
    generator = np.random.default_rng(0)
    draws = []
    for _ in range(RESAMPLES):
        chosen = generator.integers(len(L), size=len(L))
        draws.append(fit(N[chosen], D[chosen], L[chosen]))
    A, B, E = np.exp(point[:3])
    residuals = np.log((E + A * N ** -point[3] + B * D ** -point[4]) / L)
    return {
        "E": E,
        "A": A,
        "B": B,
        "alpha": point[3],
        "beta": point[4],
        "log_covariance": np.cov(np.array(draws).T).tolist(),
        "residual_sd": float(np.sqrt((residuals**2).sum() / max(len(L) - 5, 1))),
        "fitted_params": [N.min(), N.max()],
        "fitted_tokens": [D.min(), D.max()],
        "fitted_compute": [(6 * N * D).min(), (6 * N * D).max()],
    }


def main() -> None:
    """Train what is missing, fit, print JSON."""
    runs_dir = Path(sys.argv[1])
    runs = [train(spec(params, tokens), runs_dir) for params, lengths in SIZES.items() for tokens in lengths]
    json.dump({"runs": runs, "law": law_entry(runs)}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
