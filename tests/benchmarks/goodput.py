"""Goodput against published runs, and the simulation against the closed form.

    python -m tests.benchmarks.goodput [--settings 200] [--runs 200]

Prints JSON. ``published``: what runs reported, and what is computed for them from the catalog alone (nothing is fitted
to them but the failure rate of the H100, which is Llama 3's own). ``simulation``: over random settings, the distance of
the simulated mean from the closed form in standard errors, whose root mean square is near 1 where they agree, and the
time both took.
"""

import argparse
import json
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from sixnd.planner.cost import scaled
from sixnd.planner.failures import Draws, Stops, best_interval_s, expected_parts
from sixnd.planner.goodput import WallClock, most_steps, run_estimates
from sixnd.planner.laws import Array
from sixnd.planner.machine import machine_of
from sixnd.planner.simulation import simulate
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.plan import Estimate


@dataclass(frozen=True)
class Published:
    """What a run reported."""

    name: str
    accelerators: str
    params: float
    days: float
    """Wall-clock."""
    goodput: tuple[float, float]
    """Between which it lay, by the words of its authors."""
    stops: float | None
    source: str


RUNS = (
    Published(
        "Llama 3 405B",
        "16384 x h100-sxm",
        405.9e9,
        54,
        (0.90, 1.0),
        419,
        "Grattafiori et al. 2024, §3.3.4: more than 90 %",
    ),
    Published(
        "MegaScale",
        "12288 x a100-sxm-80gb",
        175e9,
        30,
        (0.90, 1.0),
        None,
        "Jiang et al. 2024, arXiv:2402.15627: over 90 % on more than 10,000 GPUs in several weeks, over 100 restarts",
    ),
    Published(
        "ByteRobust",
        "9600 x h100-sxm",
        200e9,
        90,
        (0.97, 0.97),
        None,
        "Wan et al. 2025, arXiv:2509.16293: 97 % in three months on 9,600 GPUs; the model's size is assumed here",
    ),
)


def against(run: Published) -> dict[str, Any]:
    """The published figures beside the computed ones."""
    spec = BudgetSpec.model_validate(
        {
            "version": "budget/1",
            "name": "published",
            "budget": {"compute": 1e20},
            "cluster": {"accelerators": run.accelerators},
            "data": {"sources": [{"name": "text"}]},
        }
    )
    machine, params = machine_of(spec), int(run.params)
    wall_s = run.days * 86_400

    def lasting(steps: int) -> WallClock:
        return WallClock(spec, machine, params, steps, 1.0)

    clock = lasting(most_steps(lambda steps: lasting(steps).expected_s <= wall_s, int(wall_s) + 1))
    exact = Estimate(value=1.0, low=1.0, high=1.0, unit="s", basis="exact")
    found = run_estimates(clock, scaled(exact, clock.train_s, "s", "days"))
    assert found.goodput is not None, "failures of these machines are known"
    assert found.failures is not None, "failures of these machines are known"
    low, high = run.goodput
    return {
        "run": run.name,
        "published": {"goodput": run.goodput, "stops": run.stops, "source": run.source},
        "goodput": _rounded(found.goodput),
        "stops": _rounded(found.failures),
        "interval_meets_published": found.goodput.low <= high and found.goodput.high >= low,
    }


def _rounded(estimate: Estimate) -> dict[str, float]:
    return {name: float(f"{getattr(estimate, name):.4g}") for name in ("low", "value", "high")}


def agreement(settings: int, runs: int) -> dict[str, Any]:
    """Distances of simulated means from the closed form over random settings."""
    generator = np.random.default_rng(0)
    distances, spent = [], [0.0, 0.0]
    for seed in range(settings):
        stops = _some(generator)
        interval = best_interval_s(stops)
        train_s = interval * math.ceil(200 * stops.between_s / interval)
        begun = time.process_time()
        expected = expected_parts(stops, train_s, interval).total
        spent[0] += time.process_time() - begun
        begun = time.process_time()
        wall = simulate(stops, interval, Draws.alike(stops, train_s, runs), seed).wall_s
        spent[1] += time.process_time() - begun
        distances.append((wall.mean() - expected) / (wall.std() / math.sqrt(runs)))
    found: Array = np.array(distances)
    return {
        "settings": settings,
        "runs": runs,
        "rms_standard_errors": round(float(np.sqrt(np.mean(found**2))), 2),
        "mean_standard_errors": round(float(found.mean()), 2),
        "most_standard_errors": round(float(np.abs(found).max()), 2),
        "milliseconds": {
            "closed_form": round(spent[0] * 1e3 / settings, 3),
            "simulation": round(spent[1] * 1e3 / settings, 1),
        },
    }


def _some(generator: np.random.Generator) -> Stops:
    between = 10 ** generator.uniform(3, 6)
    restart, write, stall, share, missing = generator.uniform(0, [0.3, 0.1, 1, 1, 2])
    return Stops(
        between_s=between,
        restart_s=restart * between,
        write_s=write * between,
        stall_s=write * between * max(0.02, stall),
        replaced_share=share,
        replacement_s=missing * between,
        spares=int(generator.integers(0, 5)),
    )


def main() -> None:
    """Print both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", type=int, default=200)
    parser.add_argument("--runs", type=int, default=200)
    asked = parser.parse_args()
    report = {"published": [against(run) for run in RUNS], "simulation": agreement(asked.settings, asked.runs)}
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
