"""Small runs that differ in their data mix, read from CSV or JSON lines; every row that is no such run is named.

Columns are ``weight:NAME``, the share of training tokens of each domain, and ``loss:NAME``, nats a token on each
validation text; others are not looked at.
"""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sixnd.specs.errors import InvalidDocumentError, Problem
from sixnd.specs.law_document import RefusedRow
from sixnd.specs.load import read_text
from sixnd.specs.run_table import table_lines

_WEIGHT, _LOSS = "weight:", "loss:"
_ROUNDING = 0.01
"""How far a row's weights may be from 1 in all; they are then divided by their sum."""


@dataclass(frozen=True)
class MixRow:
    """One run: weights that sum to 1, and losses."""

    where: str
    weights: tuple[float, ...]
    losses: tuple[float, ...]


@dataclass(frozen=True)
class MixTable:
    """The runs of one file."""

    data: str
    sha256: str
    domains: list[str]
    targets: list[str]
    """Validation texts."""
    rows: list[MixRow]
    refused: list[RefusedRow]


def read_mixes(path: Path) -> MixTable:
    """Every run of a CSV or JSON-lines file.

    Raises ``InvalidDocumentError`` where the file cannot be read, or lacks columns.
    """
    text = read_text(path)
    rows = list(table_lines(text, path))
    columns = list(dict.fromkeys(key for _, row in rows for key in row))
    domains, targets = _named(columns, _WEIGHT), _named(columns, _LOSS)
    if len(domains) < 2 or not targets:
        message = "needs a column weight:NAME for each of two or more domains and loss:NAME for each validation text"
        do = f"name its columns so; they are {', '.join(columns) or 'none'}"
        raise InvalidDocumentError(str(path), [Problem((), message, do)])
    kept, refused = [], []
    for line, row in rows:
        where = f"{path.name}:{line} {row.get('name') or ''}".strip()
        try:
            kept.append(MixRow(where, _weights(row, domains), _losses(row, targets)))
        except ValueError as error:
            refused.append(RefusedRow(row=where, why=str(error)))
    return MixTable(path.name, hashlib.sha256(text.encode()).hexdigest(), domains, targets, kept, refused)


def _named(columns: list[str], prefix: str) -> list[str]:
    return [column.removeprefix(prefix) for column in columns if column.startswith(prefix) and column != prefix]


def _weights(row: dict[str, Any], domains: list[str]) -> tuple[float, ...]:
    found = [_number(row, _WEIGHT + name) for name in domains]
    total = sum(found)
    if min(found) < 0:
        raise ValueError(f"has a weight below zero ({min(found):g})")
    if abs(total - 1) > _ROUNDING:
        raise ValueError(f"weights sum to {total:g}, not 1: a domain is missing, or they are percent")
    return tuple(weight / total for weight in found)


def _losses(row: dict[str, Any], targets: list[str]) -> tuple[float, ...]:
    found = [_number(row, _LOSS + name) for name in targets]
    if min(found) <= 0:
        raise ValueError(f"has a loss of {min(found):g}, which must be above zero")
    return tuple(found)


def _number(row: dict[str, Any], column: str) -> float:
    try:
        number = float(row.get(column))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError(f"{column} is '{row.get(column)}', which is no number") from None
    if not math.isfinite(number):
        raise ValueError(f"{column} is {number:g}: a run that diverged tells nothing of a law")
    return number
