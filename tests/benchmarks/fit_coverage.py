"""How often a fit's 95 % and 80 % intervals hold the truth, on synthetic runs whose law is known.

    python -m tests.benchmarks.fit_coverage [--replicates 200] [--draws 400] [--new-run]

Three laws × three levels of noise in log loss × three designs; intervals of N*(C) and of the loss there, at a budget in
the middle of the runs and at thirty times the largest run. With 200 replicates a share of 95 % is known to ± 3 %.
``--new-run`` counts instead how often a plan's interval, with its widening and what the back-test missed, holds the
loss of one more noisy run at thirty times the largest: where the form is true, it should hold it at least so often.
"""

import argparse
import time
from collections.abc import Iterator

import numpy as np

from sixnd.planner import laws
from sixnd.planner.fitting.back_test import back_tests, missed_per_decade
from sixnd.planner.fitting.runs import Array, Runs
from sixnd.planner.fitting.surface import as_surface, fit_surface
from sixnd.planner.fitting.uncertainty import draws, residual_sd
from sixnd.planner.laws import Surface, surface
from sixnd.specs import catalog
from sixnd.specs.laws import RepetitionLaw, SurfaceLaw

LAWS = ("besiroglu-2024", "hoffmann-2022", "muennighoff-2023")
NOISE = (0.002, 0.005, 0.01)
EXTRAPOLATION = 30.0
LEVELS = (0.95, 0.8)
_COLUMNS = "95 %: N* inside | L inside | N* at 30x | L at 30x | 80 %: the same four"


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


def covered_run(design: str, law: str, noise: float, replicates: int, count: int) -> Array:
    """Shares (4,) of replicates in which a new run at thirty times the largest lies in the intervals.

    95 and 80 % with what the back-test missed, then both without it.
    """
    truth = surface_of(law)
    params, tokens = DESIGNS[design](truth)
    target = EXTRAPOLATION * float(np.max(6 * params * tokens))
    generator, held = np.random.default_rng(2), np.zeros(4)
    for replicate in range(replicates):
        runs = Runs(params, tokens, truth.loss(params, tokens) * np.exp(noise * generator.standard_normal(len(params))))
        fit = fit_surface(runs)
        theta = draws(runs, fit, count=count, seed=replicate)
        fitted = SurfaceLaw(
            form="chinchilla",
            description="",
            counts="",
            weakness="",
            source="",
            **{name: float(getattr(fit.surface, name)) for name in ("E", "A", "B", "alpha", "beta")},
            draws=theta.tolist(),
            residual_sd=residual_sd(runs, fit),
            missed_per_decade=missed_per_decade(back_tests(runs, fit, seed=replicate)) or None,
            fitted_params=[params.min(), params.max()],
            fitted_tokens=[tokens.min(), tokens.max()],
            fitted_compute=[runs.compute.min(), runs.compute.max()],
        )
        best = laws.optimum(fitted, target)
        actual = float(truth.loss(best.params, best.tokens) * np.exp(noise * generator.standard_normal()))
        plain = fitted.model_copy(update={"missed_per_decade": None})
        intervals = [
            laws.loss_interval(one, best.params, best.tokens, level) for one in (fitted, plain) for level in LEVELS
        ]
        held += [found is not None and found.low <= actual <= found.high for found in intervals]
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
    parser.add_argument("--new-run", action="store_true", help="intervals of a new run's loss, as plans tell them")
    given, shares = parser.parse_args(), []
    share_of = covered_run if given.new_run else covered
    columns = "95 % | 80 % | without back-test: 95 % | 80 %" if given.new_run else _COLUMNS
    print(f"design | law | noise | {columns} | s", flush=True)
    for design, law, noise in cells():
        if given.design in (None, design):
            start = time.perf_counter()
            shares.append(share_of(design, law, noise, given.replicates, given.draws))
            told = " | ".join(f"{share:.1%}" for share in shares[-1])
            print(f"{design} | {law} | {noise:g} | {told} | {time.perf_counter() - start:.0f}", flush=True)
    print("mean |  |  | " + " | ".join(f"{share:.1%}" for share in np.mean(shares, axis=0)))


if __name__ == "__main__":
    main()
