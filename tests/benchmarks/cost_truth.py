"""How far the step-time model is from published measurements.

    python -m tests.benchmarks.cost_truth THROUGHPUT.csv [--rows OUT.csv] [--calibrate-per-source]

prints JSON: rows used, rows refused with the reason, and the absolute relative error of step time in per cent overall
(dense and mixture of experts apart), by source and by precision. Rows that are no fair measurement (flagged
inconsistent, from memory, proxy models, layout or micro-batch not stated) are counted apart. With
``--calibrate-per-source`` the first row of each source gives one factor, by which the other rows are judged.

The constants were fitted on rows of ``shared/truth``, so the errors there are in-sample; those of rows held out
are in the head of ``step-families.yaml``.
"""

import argparse
import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean, median
from typing import Any, NamedTuple

import numpy as np

from sixnd.planner.step_seconds import relative_error
from tests.benchmarks.step_rows import RefusedError, Row, configuration, products

ALIKE, APART = 0.5, 0.15
"""Share of one row's deviation that other rows of its source have too: those of the same accelerator, precision, kind
of model and task, and those of the same kind of model alone. With whole sources held out they leave the least error."""


class Judged(NamedTuple):
    """A row's predicted and measured step time."""

    row: Row
    predicted_s: float
    measured_s: float
    relative_error: float
    """Half-width of the 80 % interval, by ratio."""

    @property
    def error(self) -> float:
        """Signed relative error."""
        return self.predicted_s / self.measured_s - 1

    @property
    def inside(self) -> bool:
        """Whether the measurement lies in the 80 % interval that a plan would print."""
        ratio = self.predicted_s / self.measured_s
        return max(ratio, 1 / ratio) <= 1 + self.relative_error


@dataclass
class Truth:
    """A file's rows: judged, refused with the reason, and left out as no fair measurement."""

    judged: list[Judged] = field(default_factory=list)
    refused: list[dict[str, str]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def number(row: Row, key: str, default: float = float("nan")) -> float:
    """A cell as a number."""
    return float(row[key]) if row.get(key) not in (None, "") else default


def _first(checks: Iterable[tuple[str, bool]]) -> str | None:
    return next((reason for reason, fails in checks if fails), None)


def unfair(row: Row) -> str | None:
    """Why a row is no fair measurement of a configuration, or none."""
    return _first(
        (
            ("flagged inconsistent", bool(row["consistency_flag"])),
            ("from memory", number(row, "from_memory", 0) != 0),
            ("proxy model", number(row, "is_proxy_model", 0) != 0),
            ("layout or micro-batch not stated", number(row, "has_full_layout_mbs", 0) != 1),
        )
    )


def _positive(cell: str) -> bool:
    try:
        return 0 < float(cell) < float("inf")
    except ValueError:
        return False


def general(row: Row) -> Judged:
    """A row as the general model predicts it; raises ``RefusedError``."""
    if not _positive(row["iter_time_s"]):
        raise RefusedError("no step time")
    found = configuration(row)
    error = relative_error(found.model, found.runtime.family)
    return Judged(row, found.seconds(), number(row, "iter_time_s"), error)


def truth(path: Path, predict: Callable[[Row], Judged] = general) -> Truth:
    """The rows of a file, judged or not."""
    found = Truth()
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            no_measurement = unfair(row)
            if no_measurement:
                found.left_out[no_measurement] += 1
                continue
            try:
                found.judged.append(predict(row))
            except RefusedError as reason:
                found.refused.append({"row_id": row["row_id"], "reason": str(reason)})
    return found


def calibrated(rows: Iterable[Judged]) -> list[Judged]:
    """Rows but for the first of each source, scaled by what its measured over predicted time tells of them."""
    first: dict[str, Judged] = {}
    found = []
    for one in rows:
        source = one.row["source"]
        if source in first:
            given = first[source]
            factor = (given.measured_s / given.predicted_s) ** shared_share(given.row, one.row)
            found.append(one._replace(predicted_s=one.predicted_s * factor))
        else:
            first[source] = one
    return found


def shared_share(given: Row, other: Row) -> float:
    """Share of a row's deviation that another row of its source is taken to have."""
    if given["arch"] != other["arch"]:
        return 0.0
    same = all(given[column] == other[column] for column in ("gpu", "task"))
    return ALIKE if same and products(given["precision"]) == products(other["precision"]) else APART


def summary(rows: Iterable[Judged]) -> dict[str, float]:
    """Absolute relative errors in per cent, the mean signed error, and the share of rows inside the 80 % interval."""
    found = list(rows)
    sizes = [abs(one.error) for one in found]
    if not sizes:
        return {"n": 0}
    return {
        "n": len(sizes),
        "mape": round(100 * mean(sizes), 2),
        "median": round(100 * median(sizes), 2),
        "p90": round(100 * float(np.quantile(sizes, 0.9)), 2),
        "bias": round(100 * mean(one.error for one in found), 2),
        "coverage80": round(100 * mean(one.inside for one in found), 1),
    }


def _grouped(rows: list[Judged], column: str) -> dict[str, dict[str, float]]:
    names = sorted({one.row[column] for one in rows})
    return {name: summary(one for one in rows if one.row[column] == name) for name in names}


def report(found: Truth) -> dict[str, Any]:
    """The errors of a file's rows."""
    rows = found.judged
    return {
        "used": len(rows),
        "refused": found.refused,
        "left_out": dict(found.left_out),
        "overall": {kind: summary(one for one in rows if one.row["arch"] == kind) for kind in ("dense", "moe")},
        "by_source": _grouped(rows, "source"),
        "by_precision": _grouped(rows, "precision"),
    }


def write_rows(rows: Iterable[Judged], out: Path) -> None:
    """Predicted and measured step time of every judged row, as CSV."""
    columns = ("row_id", "arch", "source", "precision")
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow((*columns, "predicted_s", "measured_s", "error"))
        for one in rows:
            figures = (f"{one.predicted_s:.6g}", f"{one.measured_s:.6g}", f"{one.error:.4f}")
            writer.writerow((*(one.row[column] for column in columns), *figures))


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description="Step-time model against published measurements")
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=Path, help="write predicted and measured step times here as CSV")
    parser.add_argument("--calibrate-per-source", action="store_true", help="give one row of each source to a fit")
    given = parser.parse_args()
    found = truth(given.file)
    if given.calibrate_per_source:
        found = replace(found, judged=calibrated(found.judged))
    print(json.dumps(report(found), indent=2))
    if given.rows:
        write_rows(found.judged, given.rows)


if __name__ == "__main__":
    main()
