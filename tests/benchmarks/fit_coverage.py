"""How often a fit's 95 % and 80 % intervals hold the truth, on synthetic runs whose law is known.

    python -m tests.benchmarks.fit_coverage [--replicates 200] [--draws 400]

Three laws × three levels of noise in log loss × three designs; intervals of N*(C) and of the loss there, at a budget in
the middle of the runs and at thirty times the largest run. With 200 replicates a share of 95 % is known to ± 3 %.
"""

import argparse
import time
from collections.abc import Iterator

import numpy as np

from sixnd.planner.fitting.runs import Array, Runs
from sixnd.planner.fitting.surface import as_surface, fit_surface
from sixnd.planner.fitting.uncertainty import draws
from sixnd.planner.laws import Surface, surface
from sixnd.specs import catalog
from sixnd.specs.laws import RepetitionLaw, SurfaceLaw

LAWS = ("besiroglu-2024", "hoffmann-2022", "muennighoff-2023")
NOISE = (0.002, 0.005, 0.01)
EXTRAPOLATION = 30.0
LEVELS = (0.95, 0.8)


def surface_of(name: str) -> Surface:
    """A catalog law's constants."""
    law = catalog.law(name)
    assert isinstance(law, SurfaceLaw | RepetitionLaw)
    return surface(law)


def isoflop(surface: Surface) -> tuple[Array, Array]:
    """63 runs: nine budgets from 6e18 to 3e21, seven sizes over ± a factor six around the best."""
    compute = np.repeat(np.geomspace(6e18, 3e21, 9), 7)
    params = np.asarray(surface.optimal_params(compute)) * np.tile(np.geomspace(1 / 6, 6, 7), 9)
    return params, compute / 6 / params


def grid(sizes: int) -> tuple[Array, Array]:
    """Sizes × ratios of tokens to parameters, evenly spaced in the logarithm."""
    params, ratio = np.meshgrid(np.geomspace(3e7, 3e9, sizes), np.geomspace(4, 150, sizes))
    return params.ravel(), (params * ratio).ravel()


DESIGNS = {"isoFLOP, 63 runs": isoflop, "grid, 36 runs": lambda _: grid(6), "ladder, 16 runs": lambda _: grid(4)}


def cells() -> Iterator[tuple[str, str, float]]:
    """Every combination of design, law and noise."""
    return ((design, law, noise) for design in DESIGNS for law in LAWS for noise in NOISE)


def covered(design: str, law: str, noise: float, replicates: int, count: int) -> Array:
    """Shares (8,) of replicates in which the intervals of N* and L, inside and beyond the runs, hold the truth.

    Four of 95 %, then four of 80 %.
    """
    truth = surface_of(law)
    params, tokens = DESIGNS[design](truth)
    compute = 6 * params * tokens
    targets = np.exp(np.mean(np.log(compute))), EXTRAPOLATION * compute.max()
    generator, held = np.random.default_rng(1), np.zeros(8)
    for replicate in range(replicates):
        spread = np.exp(noise * generator.standard_normal(len(params)))
        runs = Runs(params, tokens, truth.loss(params, tokens) * spread)
        drawn = as_surface(draws(runs, fit_surface(runs), count=count, seed=replicate))
        held += [
            _holds(answer(drawn, target)[i], answer(truth, target)[i], level)
            for level in LEVELS
            for target in targets
            for i in (0, 1)
        ]
    return held / replicates


def answer(surface: Surface, compute: float) -> tuple[Array, Array]:
    """N* and the loss there."""
    params = np.asarray(surface.optimal_params(compute))
    return params, np.asarray(surface.loss(params, compute / 6 / params))


def _holds(values: Array, truth: Array, level: float) -> bool:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return bool(low <= truth <= high)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--design", choices=list(DESIGNS))
    given, shares = parser.parse_args(), []
    print(
        "design | law | noise | 95 %: N* inside | L inside | N* at 30x | L at 30x | 80 %: the same four | s", flush=True
    )
    for design, law, noise in cells():
        if given.design in (None, design):
            start = time.perf_counter()
            shares.append(covered(design, law, noise, given.replicates, given.draws))
            told = " | ".join(f"{share:.1%}" for share in shares[-1])
            print(f"{design} | {law} | {noise:g} | {told} | {time.perf_counter() - start:.0f}", flush=True)
    print("mean |  |  | " + " | ".join(f"{share:.1%}" for share in np.mean(shares, axis=0)))


if __name__ == "__main__":
    main()
