"""What a ladder's design buys: spread of fitted N* and loss at the target, optimal against the usual designs.

    python -m tests.benchmarks.ladder_design [REPLICATES]

For each true law and noise, the rungs of each design (real shapes, whole steps, equal cost, as many runs) are given
losses by the true law with normal noise on log loss, and fitted as `sixnd fit` fits them. Every design starts from
besiroglu-2024, whatever the truth. Printed: half of the 95 % range of ln N*(C) and of ln L*(C) over the replicates,
what the ladder itself expected, and how much narrower than the uniform grid it is. A second uniform grid, stretched
over all sizes that a rung may have, shows how much of the gain is its wider span.
"""

import sys

import numpy as np

from sixnd.planner.fitting.runs import Runs
from sixnd.planner.fitting.surface import fit_surface
from sixnd.planner.grids import uniform_grid
from sixnd.planner.ladder import RATIOS, Request, make_ladder
from sixnd.planner.ladder_field import SIZE_SPAN, Field
from sixnd.planner.laws import Array, Surface
from sixnd.planner.rungs import template
from sixnd.specs import catalog
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.ladder import DesignName, Ladder

TRUTHS = ("besiroglu-2024-huber", "hoffmann-2022", "muennighoff-2023")
NOISES = (0.002, 0.004, 0.0075)
"""Standard deviation of log loss; the last is the residual of Chinchilla's points around their fit."""
DESIGNS: tuple[DesignName, ...] = ("optimal", "isoflop", "grid")
SHARE, RUNS, COMPUTE, SEED = 0.05, 16, 1e21, 20221129


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


def measured(runs: tuple[Array, Array], truth: Surface, noise: float, replicates: int) -> Array:
    """Simulate the runs (N, D) so many times, fit each: half of the 95 % range of ln N* and ln L* at the target."""
    (params, tokens), compute = runs, COMPUTE
    generator, found = np.random.default_rng(SEED), []
    for _ in range(replicates):
        loss = truth.loss(params, tokens) * np.exp(noise * generator.standard_normal(len(params)))
        fitted = fit_surface(Runs(params, tokens, np.asarray(loss))).surface
        best = fitted.optimal_params(compute)
        found.append([np.log(best), np.log(fitted.loss(best, compute / 6 / best))])
    low, high = np.quantile(np.array(found, dtype=float), [0.025, 0.975], axis=0)
    return np.asarray((high - low) / 2)


def rungs(ladder: Ladder) -> tuple[Array, Array]:
    """N and D of its rungs."""
    return np.array([r.params for r in ladder.rungs], float), np.array([r.tokens for r in ladder.rungs], float)


def wide_grid() -> tuple[Array, Array]:
    """N and D of a uniform grid whose sizes span as much as a ladder's may."""
    field = Field(template(target(), 32768), RATIOS)
    points = uniform_grid(field.sizes, RATIOS, SHARE * COMPUTE, RUNS, SIZE_SPAN)
    return points.params, points.tokens


def main(replicates: int) -> None:
    """Print the table."""
    print("| truth | noise | design | ln N*: measured (expected) | ln L*: measured (expected) | N*, L* vs grid |")
    print("|---|---|---|---|---|---|")
    for noise in NOISES:
        made = {d: make_ladder(target(), Request(SHARE, RUNS, d, noise), "target.yaml").ladder for d in DESIGNS}
        runs = {d: rungs(ladder) for d, ladder in made.items()} | {"wide grid": wide_grid()}
        for truth in TRUTHS:
            spreads = {d: measured(found, true_surface(truth), noise, replicates) for d, found in runs.items()}
            for design, (of_N, of_L) in spreads.items():
                said = expected(made[design]) if design in made else ("", "")
                over = spreads[design] / spreads["grid"] - 1
                print(
                    f"| {truth} | {noise:g} | {design} | {of_N:.3f}{said[0]} | {of_L:.4f}{said[1]} "
                    f"| {over[0]:+.0%}, {over[1]:+.0%} |",
                    flush=True,
                )


def expected(ladder: Ladder) -> tuple[str, str]:
    """What the ladder itself expected of both, in the same measure."""
    of_N, of_L = (np.log(high / low) / 2 for low, high in (ladder.after.params_95, ladder.after.loss_95))
    return f" ({of_N:.3f})", f" ({of_L:.4f})"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
