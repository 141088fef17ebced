"""Runs to fit a law to, read from CSV, JSON lines or the records of our own runs; every bad row is named.

A row needs a loss and two of N, D and C = 6ND. Nothing is dropped silently: a row that is no run is refused with its
line, and a table that no law can be fitted to is refused whole.
"""

import csv
import difflib
import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sixnd.specs.errors import InvalidDocumentError, Problem, SixndError
from sixnd.specs.law_document import RefusedRow
from sixnd.specs.load import load_plan, read_text
from sixnd.specs.record import DataPrepared, End, Validation, read_record

FIELDS = {
    "N": ("n", "params", "parameters", "n_params", "num_params", "model size", "model_size", "size"),
    "D": ("d", "tokens", "n_tokens", "num_tokens", "training tokens", "train_tokens"),
    "C": ("c", "flops", "flop", "compute", "training flop", "training flops", "training_flops"),
    "L": ("l", "loss", "val_loss", "validation_loss", "eval_loss", "final_loss"),
    "U": ("u", "unique_tokens", "unique tokens", "unique"),
    "name": ("name", "run", "id", "exp_name"),
    "curve": ("curve",),
    "tokenizer": ("tokenizer", "tokenizer_name", "tokenizer_sha256", "vocab_size", "vocab"),
    "metric": ("metric", "error", "accuracy", "acc"),
}
"""What a column may hold, and the names by which it is known without ``--columns``."""
_ROWS_TOLD = 20
"""Refused rows that are named beside what is wrong with the whole table."""
_NUMBERS = ("N", "D", "C", "L", "U", "metric")


@dataclass(frozen=True)
class RunRow:
    """One training run."""

    where: str
    """File and line, and the run's name if it has one."""
    params: float
    tokens: float
    loss: float
    compute: float
    """As given, else 6ND."""
    unique_tokens: float | None = None
    metric: float | None = None
    curve: str = ""
    tokenizer: str = ""


@dataclass(frozen=True)
class RunTable:
    """The runs of one input."""

    data: str
    sha256: str
    rows: list[RunRow]
    refused: list[RefusedRow] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def parse_columns(text: str) -> dict[str, str]:
    """``N=params,D=tokens,L=loss`` as a mapping; raises ``SixndError`` for what is no such list."""
    found: dict[str, str] = {}
    for part in text.split(","):
        key, equals, column = (piece.strip() for piece in part.partition("="))
        if not equals or not column:
            raise SixndError(f"--columns: '{part.strip()}' names no column", "write it like N=params,D=tokens,L=loss")
        if key not in FIELDS:
            near = difflib.get_close_matches(key, FIELDS, 1, 0.0)
            raise SixndError(
                f"--columns: '{key}' is nothing a run has ({', '.join(FIELDS)})", f"did you mean {near[0]}?"
            )
        found[key] = column
    return found


def read_runs(path: Path, columns: dict[str, str] | None = None) -> RunTable:
    """Every run of a CSV or JSON-lines file, of a run folder, or of a folder of run folders.

    Raises ``InvalidDocumentError`` where the file cannot be read or lacks a column.
    """
    if path.is_dir():
        return _checked(_from_records(path))
    text = read_text(path)
    rows = list(table_lines(text, path))
    named = _columns([key for _, row in rows for key in row] if rows else [], columns or {}, path, text)
    return _checked(_table(path.name, text, rows, named))


def table_lines(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and cells of each row, of JSON lines or CSV by the file's suffix."""
    return _json_lines(text, path) if path.suffix in (".jsonl", ".json", ".ndjson") else _csv_lines(text, path)


def _csv_lines(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(text.splitlines(keepends=True), skipinitialspace=True)
    if reader.fieldnames is None:
        raise InvalidDocumentError(str(path), [Problem((), "is empty", "write the names of columns on the first line")])
    for row in reader:
        yield reader.line_num, {key.strip(): value for key, value in row.items() if key is not None}


def _json_lines(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            problems.append(Problem((), f"is not JSON: {error}", "write one JSON object a line", number))
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            problems.append(Problem((), "is no JSON object", "write an object with a run's N, D and loss", number))
    if problems:
        raise InvalidDocumentError(str(path), problems, text)


def _columns(present: list[str], given: dict[str, str], path: Path, text: str) -> dict[str, str]:
    """Field → column; raises where a named column is absent, or a loss and two of N, D and C cannot be told."""
    known = list(dict.fromkeys(present))
    problems = [
        Problem((), f"has no column '{column}' for {key}", f"its columns are {', '.join(known)}")
        for key, column in given.items()
        if column not in known
    ]
    found = dict(given)
    for key, names in FIELDS.items():
        same = [column for column in known if column.lower() in names and column not in found.values()]
        if key not in found and same:
            found[key] = same[0]
    if not problems and ("L" not in found or sum(key in found for key in "NDC") < 2):
        lacking = "the loss (L)" if "L" not in found else "two of N, D and C"
        message = f"{lacking} cannot be told from its columns ({', '.join(known)})"
        problems.append(Problem((), message, "name them: --columns N=…,D=…,L=…"))
    if problems:
        raise InvalidDocumentError(str(path), problems, text)
    return found


def _table(name: str, text: str, rows: list[tuple[int, dict[str, Any]]], columns: dict[str, str]) -> RunTable:
    kept, refused = [], []
    for line, row in rows:
        where = f"{name}:{line}"
        try:
            kept.append(_run(where, {key: row.get(column) for key, column in columns.items()}))
        except ValueError as error:
            refused.append(RefusedRow(row=where, why=str(error)))
    named = ", ".join(f"{key}={column}" for key, column in columns.items() if key in ("N", "D", "C", "L", "U"))
    return RunTable(f"{name} ({named})", hashlib.sha256(text.encode()).hexdigest(), kept, refused)


def _run(where: str, values: dict[str, Any]) -> RunRow:
    numbers = {key: _number(key, values[key]) for key in _NUMBERS if values.get(key) not in (None, "")}
    if "L" not in numbers:
        raise ValueError("has no loss")
    if sum(key in numbers for key in "NDC") < 2:
        raise ValueError("has fewer than two of N, D and C")
    params = numbers.get("N") or numbers["C"] / 6 / numbers["D"]
    tokens = numbers.get("D") or numbers["C"] / 6 / params
    _plausible("N", params, "parameters", 1e3, 1e15)
    _plausible("D", tokens, "tokens", 1e4, 1e17)
    label = str(values.get("name") or "").strip()
    return RunRow(
        where=f"{where} {label}".strip(),
        params=params,
        tokens=tokens,
        loss=numbers["L"],
        compute=numbers.get("C", 6 * params * tokens),
        unique_tokens=numbers.get("U"),
        metric=numbers.get("metric"),
        curve=str(values.get("curve") or ""),
        tokenizer=str(values.get("tokenizer") or "").strip(),
    )


def _plausible(key: str, value: float, noun: str, low: float, high: float) -> None:
    """Counts written in millions or billions, or from a compute in another unit, are no counts."""
    if value < low:
        raise ValueError(f"{key} is {value:g} {noun}: in millions or billions? Write it out (1e9 {noun} is a billion)")
    if value > high:
        raise ValueError(f"{key} is {value:g} {noun}, more than there are: is it, or C, in another unit?")


def _number(key: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{key} is '{value}', which is no number") from None
    if not math.isfinite(number):
        raise ValueError(f"{key} is {number:g}: a run that diverged or was not measured tells nothing of a law")
    if number <= 0 and key != "metric":
        raise ValueError(f"{key} is {number:g}, which must be above zero")
    return number


def _from_records(folder: Path) -> RunTable:
    """Finished runs below a folder: N and D by their plans, the last validation loss by their records."""
    records = sorted(folder.rglob("record.jsonl"))
    if not records:
        message = "holds no run: there is no record.jsonl in or below it"
        problem = Problem((), message, "name a folder that `sixnd run --runs-dir` wrote", 0)
        raise InvalidDocumentError(str(folder), [problem])
    rows, refused, digest = [], [], hashlib.sha256()
    for file in records:
        digest.update(file.read_bytes())
        try:
            rows.append(_recorded(file, folder))
        except ValueError as error:
            refused.append(RefusedRow(row=str(file.relative_to(folder)), why=str(error)))
    return RunTable(f"records in {folder.name}", digest.hexdigest(), rows, refused)


def _recorded(file: Path, folder: Path) -> RunRow:
    plan, record = load_plan(file.parent / "plan.yaml"), read_record(file)
    end, validation, prepared = record.last(End), record.last(Validation), record.last(DataPrepared)
    if end is None or end.status != "finished":
        raise ValueError("did not finish")
    if validation is None or validation.step < plan.training.steps:
        raise ValueError("has no validation loss at its last step")
    return RunRow(
        where=f"{file.parent.relative_to(folder)} {plan.name}",
        params=plan.model.params,
        tokens=plan.data.tokens,
        loss=_number("L", validation.loss),
        compute=6.0 * plan.model.params * plan.data.tokens,
        tokenizer=prepared.tokenizer_sha256[:8] if prepared is not None else "",
    )


def _checked(table: RunTable) -> RunTable:
    """The table, or ``InvalidDocumentError`` with everything that keeps a law from being fitted to it."""
    problems = [*_too_few(table), *_mixed(table), *_wrong_units(table)]
    if problems:
        problems += [
            Problem((), f"{row.row}: {row.why}", "mend the row, or take it out", 0)
            for row in table.refused[:_ROWS_TOLD]
        ]
        raise InvalidDocumentError(table.data, problems)
    return RunTable(table.data, table.sha256, table.rows, table.refused, [*table.warnings, *_doubtful(table)])


def _too_few(table: RunTable) -> list[Problem]:
    rows = table.rows
    if len(rows) < 5:
        message = f"has {len(rows)} usable run{'s' * (len(rows) != 1)}"
        return [Problem((), message, "five constants need at least five, better twenty", 0)]
    found = []
    for what, values in (("model size N", {r.params for r in rows}), ("number of tokens D", {r.tokens for r in rows})):
        if len(values) == 1:
            message = (
                f"every run has the same {what} ({next(iter(values)):.4g}): what it does to the loss cannot be told"
            )
            found.append(Problem((), message, "add runs of at least two others", 0))
    return found


def _mixed(table: RunTable) -> list[Problem]:
    names = sorted({row.tokenizer for row in table.rows if row.tokenizer})
    if len(names) < 2:
        return []
    message = f"mixes tokenizers ({', '.join(names[:5])}): a loss per token of one is not that of another"
    return [Problem((), message, "fit one tokenizer's runs, or convert all losses to nats per byte", 0)]


def _wrong_units(table: RunTable) -> list[Problem]:
    """C in another unit than 6ND in most runs: then one of C, N and D is."""
    ratios = sorted(row.compute / (6 * row.params * row.tokens) for row in table.rows)
    middle = ratios[len(ratios) // 2] if ratios else 1.0
    if 0.05 < middle < 20:
        return []
    message = (
        f"C is {middle:.3g} times 6ND in the middle run: one of C, N and D is in another unit (a factor 1e9 is "
        "billions, 8.64e19 is PF-days)"
    )
    return [Problem((), message, "write counts and FLOPs out", 0)]


def _doubtful(table: RunTable) -> list[str]:
    found = []
    losses = sorted(row.loss for row in table.rows)
    if losses and losses[len(losses) // 2] > math.log(300_000):
        found.append(
            f"half of the losses are above {losses[len(losses) // 2]:.3g}, more than guessing among 300,000 entries "
            "has: are they perplexities, or not in nats a token?"
        )
    return found
