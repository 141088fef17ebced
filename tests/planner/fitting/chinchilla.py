"""Chinchilla's points as Besiroglu et al. 2024 read them off Figure 4."""

import csv

import numpy as np

from sixnd.planner.fitting.runs import Runs
from tests.planner.shared_data import shared


def chinchilla(*, with_outliers: bool = False) -> Runs:
    """240 runs, or 245 with the five of highest loss that the authors leave out."""
    text = shared("scaling/chinchilla_epoch/svg_extracted_data.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    params, compute, loss = (
        np.array([float(row[name]) for row in rows]) for name in ("Model Size", "Training FLOP", "loss")
    )
    kept = np.full(len(rows), True) if with_outliers else loss < np.sort(loss)[-5]
    return Runs(params[kept], (compute / 6 / params)[kept], loss[kept])


def published_resamples(runs: Runs, count: int = 4000) -> np.ndarray:
    """How often each run is drawn in the resamples of the authors' notebook (NumPy's legacy generator, seed 42)."""
    generator = np.random.RandomState(42)
    drawn = [generator.choice(len(runs), len(runs), replace=True) for _ in range(count)]
    return np.array([np.bincount(rows, minlength=len(runs)) for rows in drawn]).astype(float)
