"""How well the step-time model ranks the layouts of one model on the same GPUs.

    python -m tests.benchmarks.layout_ranking LAYOUT_SWEEPS.csv

prints JSON: of each sweep (one model, batch and number of GPUs, at least five layouts) Spearman's correlation of
predicted with measured step time, and the regret of the layout predicted to be fastest: how much longer it took than
the one measured fastest, in per cent. Sweeps of fewer layouts are counted apart, since so few ranks say little.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.cost_truth import Judged, Truth, truth

SAME = ("model", "gpu", "num_gpus", "seq_len", "global_batch", "precision", "framework")
"""Columns that the rows of one sweep have in common."""
FEWEST = 5
"""Layouts of the smallest sweep that is judged."""


def ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Ranks from 0; ties share their mean rank."""
    found = np.asarray(values, dtype=float)
    return np.array([np.sum(found < one) + (np.sum(found == one) - 1) / 2 for one in found])


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Correlation of ranks; NaN where all values of one side are equal."""
    left, right = (r - r.mean() for r in (ranks(a), ranks(b)))
    norm = float(np.sqrt(np.sum(left**2) * np.sum(right**2)))
    return float(np.sum(left * right)) / norm if norm else float("nan")


def judged_sweep(rows: list[Judged]) -> dict[str, float]:
    """Layouts of a sweep, Spearman's correlation, and the regret of the first choice in per cent."""
    predicted, measured = [one.predicted_s for one in rows], [one.measured_s for one in rows]
    first = measured[int(np.argmin(predicted))]
    return {
        "layouts": len(rows),
        "spearman": round(spearman(predicted, measured), 3),
        "regret": round(100 * (first / min(measured) - 1), 2),
    }


def sweeps_of(rows: Iterable[Judged]) -> tuple[dict[str, dict[str, float]], int]:
    """Every sweep of at least ``FEWEST`` layouts by name, and how many were smaller."""
    groups: dict[str, list[Judged]] = defaultdict(list)
    for one in rows:
        groups[", ".join(one.row[column] for column in SAME)].append(one)
    found = {name: judged_sweep(each) for name, each in sorted(groups.items()) if len(each) >= FEWEST}
    return found, len(groups) - len(found)


def ranking(rows: Iterable[Judged]) -> dict[str, float]:
    """The means over sweeps."""
    figures = list(sweeps_of(rows)[0].values())
    if not figures:
        return {"n": 0}
    return {
        "n": len(figures),
        "spearman": round(mean(one["spearman"] for one in figures), 3),
        "median_spearman": round(median(one["spearman"] for one in figures), 3),
        "regret": round(mean(one["regret"] for one in figures), 2),
    }


def report(found: Truth) -> dict[str, Any]:
    """Every sweep, and the means over sweeps."""
    sweeps, too_small = sweeps_of(found.judged)
    return {
        "used": sum(one["layouts"] for one in sweeps.values()),
        "refused": found.refused,
        "left_out": dict(found.left_out),
        "too_small_sweeps": too_small,
        "overall": ranking(found.judged),
        "sweeps": sweeps,
    }


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description="Ranking of layouts against published sweeps")
    parser.add_argument("file", type=Path)
    given = parser.parse_args()
    print(json.dumps(report(truth(given.file)), indent=2))


if __name__ == "__main__":
    main()
