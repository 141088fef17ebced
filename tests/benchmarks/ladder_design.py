"""What a ladder's design buys: spread of fitted N* and loss at the target, optimal against the usual designs.

    python -m tests.benchmarks.ladder_design [REPLICATES]

For each true law and noise, the rungs of each design (real shapes, whole steps, equal cost, as many runs) are given
losses by the true law with normal noise on log loss, and fitted as `sixnd fit` fits them. Every design starts from
besiroglu-2024, whatever the truth. Printed: half of the 95 % range of ln N*(C) and of ln L*(C) over the replicates,
what the ladder itself expected, and how much narrower than the uniform grid it is.
"""

import sys
from dataclasses import dataclass

import numpy as np

from sixnd.planner.fitting.runs import Runs
from sixnd.planner.fitting.surface import fit_surface
from sixnd.planner.ladder import Request, make_ladder
from sixnd.planner.laws import Array, Surface
from sixnd.specs import catalog
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.ladder import DesignName, Ladder

TRUTHS = ("besiroglu-2024-huber", "hoffmann-2022", "muennighoff-2023")
NOISES = (0.002, 0.004, 0.0075)
"""Standard deviation of log loss; the last is the residual of Chinchilla's points around their fit."""
DESIGNS: tuple[DesignName, ...] = ("optimal", "isoflop", "grid")
SHARE, RUNS, COMPUTE, SEED = 0.05, 16, 1e21, 20221129


@dataclass(frozen=True)
class Spread:
    """Half of the 95 % range over replicates, measured and as the ladder expected it, in logarithms."""

    params: float
    loss: float
    expected_params: float
    expected_loss: float


def target() -> BudgetSpec:
    """A target of 1e21 FLOPs with a vocabulary of 32,768 entries."""
    return BudgetSpec.model_validate(
        {
            "version": "budget/1",
            "name": "target",
            "budget": {"compute": COMPUTE},
            "cluster": {"accelerators": "64 x h100-sxm"},
            "data": {"sources": [{"name": "web"}]},
            "model": {"vocab_size": 32768},
        }
    )


def true_surface(name: str) -> Surface:
    """The surface of a published law, its repetition left out."""
    law = catalog.law(name)
    return Surface(law.E, law.A, law.B, law.alpha, law.beta)  # type: ignore[union-attr]


def measured(ladder: Ladder, truth: Surface, noise: float, replicates: int) -> Spread:
    """Simulate the ladder so many times, fit each, and measure the spread at the target."""
    params = np.array([rung.params for rung in ladder.rungs], dtype=float)
    tokens = np.array([rung.tokens for rung in ladder.rungs], dtype=float)
    generator, compute = np.random.default_rng(SEED), ladder.target.compute_flops
    found = []
    for _ in range(replicates):
        loss = truth.loss(params, tokens) * np.exp(noise * generator.standard_normal(len(params)))
        fitted = fit_surface(Runs(params, tokens, np.asarray(loss))).surface
        best = fitted.optimal_params(compute)
        found.append([np.log(best), np.log(fitted.loss(best, compute / 6 / best))])
    half = _half_range(np.array(found, dtype=float))
    expected = [np.log(high / low) / 2 for low, high in (ladder.after.params_95, ladder.after.loss_95)]
    return Spread(float(half[0]), float(half[1]), float(expected[0]), float(expected[1]))


def _half_range(values: Array) -> Array:
    low, high = np.quantile(values, [0.025, 0.975], axis=0)
    return np.asarray((high - low) / 2)


def main(replicates: int) -> None:
    """Print the table."""
    print("| truth | noise | design | ln N*: measured (expected) | ln L*: measured (expected) | N*, L* vs grid |")
    print("|---|---|---|---|---|---|")
    for noise in NOISES:
        made = {d: make_ladder(target(), Request(SHARE, RUNS, d, noise), "target.yaml").ladder for d in DESIGNS}
        for truth in TRUTHS:
            spreads = {d: measured(made[d], true_surface(truth), noise, replicates) for d in DESIGNS}
            for design, s in spreads.items():
                grid = spreads["grid"]
                print(
                    f"| {truth} | {noise:g} | {design} | {s.params:.3f} ({s.expected_params:.3f}) "
                    f"| {s.loss:.4f} ({s.expected_loss:.4f}) "
                    f"| {s.params / grid.params - 1:+.0%}, {s.loss / grid.loss - 1:+.0%} |",
                    flush=True,
                )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
