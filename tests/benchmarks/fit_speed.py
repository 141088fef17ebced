"""CPU time of our point fit and bootstrap against the procedures they replace, on the same runs.

    python -m tests.benchmarks.fit_speed RUNS.csv [--drop-highest 5] [--starts 4500] [--chinchilla]

The plain procedure is that of Hoffmann et al. 2022 (appendix D.2): L-BFGS from each point of a grid, here with SciPy's
finite differences and default tolerances; ``--starts`` takes that many points evenly from the grid of 4,500.
``--chinchilla`` adds the PyPI package of that name (BFGS in long double from the 5^5 grid of its README), once with its
default loss and once with Hoffmann's. SciPy and the package are not among sixnd's own requirements: what is not
installed is said and left out. CPU time is user and system time of this process and of its children; set
OMP_NUM_THREADS=1 to count one core. The full run takes five to ten minutes.
"""

import argparse
import itertools
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from sixnd.planner.fitting.polish import objective
from sixnd.planner.fitting.resample import bootstrap
from sixnd.planner.fitting.runs import Array, Runs
from sixnd.planner.fitting.surface import DELTA, SurfaceFit, as_theta, fit_surface
from sixnd.planner.laws import Surface
from sixnd.specs.run_table import read_runs

HOFFMANN_GRID = (range(0, 30, 5), range(0, 30, 5), (-1, -0.5, 0, 0.5, 1), (0, 0.5, 1, 1.5, 2), (0, 0.5, 1, 1.5, 2))
"""ln A, ln B, ln E, α, β (Hoffmann et al. 2022, appendix D.2): 4,500 points."""
README_GRID = {
    "E": np.linspace(1, 2, 5),
    "a": np.linspace(1, 10, 5),
    "b": np.linspace(1, 10, 5),
    "alpha": np.linspace(0.1, 0.7, 5),
    "beta": np.linspace(0.1, 0.7, 5),
}
"""Of the package chinchilla 0.2.0: its README's only full example with logarithms of A and B."""
REPEATS = 9


@dataclass(frozen=True)
class Timed:
    """What a procedure took and found."""

    name: str
    cpu_s: float
    theta: Array
    objective: float


def cpu_seconds() -> float:
    """User and system time of this process and of the children it waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def timed(runs: Runs, name: str, fit: Callable[[], Array]) -> Timed:
    """One call of ``fit``, and Hoffmann's objective where it ends."""
    start = cpu_seconds()
    theta = fit()
    return Timed(name, cpu_seconds() - start, theta, hoffmann_objective(runs, theta))


def hoffmann_objective(runs: Runs, theta: Array) -> float:
    """Sum of Huber losses of log loss, threshold 1e-3."""
    return float(objective(runs, np.ones((1, len(runs))), theta[None], DELTA)[0])


def ours(runs: Runs) -> Timed:
    """Median of several fits, after one that warms the caches up."""
    several = [timed(runs, "sixnd", lambda: fit_surface(runs).theta) for _ in range(REPEATS + 1)][1:]
    return Timed("sixnd", statistics.median(run.cpu_s for run in several), several[0].theta, several[0].objective)


def plain(runs: Runs, starts: int) -> Timed | None:
    """L-BFGS-B with finite differences from each start; the best end counts."""
    try:
        from scipy.optimize import minimize
    except ImportError:
        print("SciPy is not installed: the plain L-BFGS-B is left out")
        return None
    grid = np.array(list(itertools.product(*HOFFMANN_GRID)), dtype=float)
    chosen = grid[np.linspace(0, len(grid) - 1, starts).astype(int)]
    x, y, measured = runs.log_params, runs.log_tokens, runs.log_loss

    def value(theta: Array) -> float:
        log_A, log_B, log_E, alpha, beta = theta
        predicted = np.logaddexp(np.logaddexp(log_A - alpha * x, log_B - beta * y), log_E)
        size = np.abs(predicted - measured)
        return float(np.where(size <= DELTA, size**2 / 2, DELTA * (size - DELTA / 2)).sum())

    def best() -> Array:
        ends = [minimize(value, start, method="L-BFGS-B") for start in chosen]
        return np.asarray(min(ends, key=lambda end: end.fun).x)

    return timed(runs, f"L-BFGS-B, {len(chosen)} starts", best)


def package(runs: Runs) -> list[Timed]:
    """The PyPI package, by its default loss and by Hoffmann's."""
    try:
        from chinchilla._metrics import log_huber
    except ImportError as error:
        print(f"the package chinchilla is left out: {error}")
        return []
    hoffmann = partial(log_huber, delta=DELTA)
    return [
        timed(runs, "chinchilla, its default loss", lambda: as_theta(packaged(runs, README_GRID, {}))),
        timed(
            runs,
            f"chinchilla, log_huber delta={DELTA:g}",
            lambda: as_theta(packaged(runs, README_GRID, {"loss_fn": hoffmann})),
        ),
    ]


def packaged(
    runs: Runs, grid: Mapping[str, Sequence[float] | Array], options: Mapping[str, Callable[..., Array]]
) -> Surface:
    """The surface that the package finds from every point of a grid."""
    from chinchilla import Chinchilla

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "df.csv").write_text(_table(runs), "utf-8")
        fitter = Chinchilla(folder, param_grid=dict(grid), log_level=40, **options)
        fitter.fit()
    constants = (float(getattr(fitter, name)) for name in ("E", "A", "B", "alpha", "beta"))
    return Surface(*constants)


def _table(runs: Runs) -> str:
    rows = zip(runs.compute, runs.params, runs.tokens, runs.loss, strict=True)
    return "C,N,D,loss\n" + "".join(",".join(f"{value:.17g}" for value in row) + "\n" for row in rows)


def load(file: Path, dropped: int) -> Runs:
    """The runs of a file without the ``dropped`` of highest loss."""
    rows = sorted(read_runs(file).rows, key=lambda row: row.loss)
    rows = rows[: len(rows) - dropped]
    return Runs(*(np.array([getattr(row, name) for row in rows]) for name in ("params", "tokens", "loss")))


def report(results: list[Timed]) -> None:
    """A line for each procedure; ratios are to the first."""
    print(f"{'procedure':38}{'CPU s':>10}{'x ours':>10}  {'objective':>18}   E, A, B, alpha, beta")
    for found in results:
        log_A, log_B, log_E, alpha, beta = found.theta
        constants = f"{np.exp(log_E):.6f} {np.exp(log_A):.4f} {np.exp(log_B):.3f} {alpha:.6f} {beta:.6f}"
        ratio = found.cpu_s / results[0].cpu_s
        print(f"{found.name:38}{found.cpu_s:10.4f}{ratio:10.0f}  {found.objective:18.13e}   {constants}", flush=True)


def resampled(runs: Runs, fit: SurfaceFit) -> None:
    """Time of the bootstrap, and the standard errors it gives."""
    start = cpu_seconds()
    theta = bootstrap(runs, fit)
    spent = cpu_seconds() - start
    errors = [*np.exp(theta[:, [2, 0, 1]]).std(axis=0), *theta[:, 3:].std(axis=0)]
    print(f"bootstrap: {len(theta)} resamples in {spent:.2f} s CPU; standard errors of E, A, B, alpha, beta:", end=" ")
    print(" ".join(f"{error:.4g}" for error in errors))


def main() -> None:
    """Read the command line, run everything, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--drop-highest", type=int, default=0, metavar="K", help="leave out the K highest losses")
    parser.add_argument("--starts", type=int, default=4500)
    parser.add_argument("--chinchilla", action="store_true", help="time the PyPI package too")
    arguments = parser.parse_args()
    runs = load(arguments.file, arguments.drop_highest)
    print(f"{len(runs)} runs")
    resampled(runs, fit_surface(runs))
    procedures = [ours(runs), plain(runs, arguments.starts), *(package(runs) if arguments.chinchilla else [])]
    report([found for found in procedures if found is not None])


if __name__ == "__main__":
    main()
