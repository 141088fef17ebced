"""Published tables of numbers as columns."""

import csv
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tests.planner.shared_data import shared

Array = NDArray[np.float64]


def rows(path: str, **where: str) -> list[Mapping[str, str]]:
    """The rows of a CSV whose columns hold these values."""
    with shared(path).open() as file:
        return [row for row in csv.DictReader(file) if all(row[key] == value for key, value in where.items())]


def column(table: list[Mapping[str, str]], name: str) -> Array:
    return np.array([float(row[name]) for row in table])
