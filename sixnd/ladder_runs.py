"""The runs of a ladder: where each stands, and the losses of the finished ones as a table that `sixnd fit` takes."""

import csv
import io
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sixnd.reporting import read_run
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import InvalidDocumentError
from sixnd.specs.ladder import Ladder, Rung
from sixnd.specs.load import load_budget
from sixnd.specs.plan import Plan
from sixnd.specs.record import DataPrepared, End, RunRecord


@dataclass(frozen=True)
class Row:
    """One finished rung, with the columns by which `sixnd fit` knows them."""

    name: str
    params: int
    """N."""
    tokens: int
    """D."""
    flops: float
    """C = 6ND."""
    loss: float
    """Validation loss after the last step, nats per token."""
    tokenizer: str
    run: str
    """Folder of the run."""


@dataclass(frozen=True)
class RungState:
    """How one rung stands."""

    name: str
    row: Row | None
    why_not: str = ""
    """Why there is no row."""


def rung_states(ladder: Ladder, folder: Path, runs_dir: Path) -> list[RungState]:
    """How each rung of the ladder in ``folder`` stands, by the records under ``runs_dir``."""
    return [rung_state(rung, load_budget(folder / rung.spec), runs_dir) for rung in ladder.rungs]


def rung_state(rung: Rung, spec: BudgetSpec, runs_dir: Path) -> RungState:
    """The rung's row, or why it has none; a run of the same name by another spec does not count."""
    reasons = []
    for record_file in sorted((runs_dir / rung.name).glob("*/record.jsonl")):
        try:
            plan, record = read_run(record_file.parent)
        except InvalidDocumentError as error:
            reasons.append(f"{record_file.parent} cannot be read: {error.problems[0].message}")
            continue
        if plan.spec != spec:
            reasons.append(f"{record_file.parent} was trained by another spec")
        elif (why_not := _why_not(plan, record)) is not None:
            reasons.append(why_not)
        else:
            return RungState(rung.name, _row(plan, record, record_file.parent))
    return RungState(rung.name, None, "; ".join(reasons) or f"not started: nothing in {runs_dir / rung.name}")


def _why_not(plan: Plan, record: RunRecord) -> str | None:
    """Why a run has no final loss; none where it has one."""
    end, validations, steps = record.last(End), record.validations(), record.steps()
    reached = f"at step {steps[-1].step if steps else 0:,} of {plan.training.steps:,}"
    if end is None:
        return f"not finished, {reached}"
    if end.status != "finished":
        return f"{end.status} {reached}: {end.message}"
    if not validations or validations[-1].step < plan.training.steps:
        return "finished without a validation loss at its last step"
    return None if math.isfinite(validations[-1].loss) else f"diverged: its loss is {validations[-1].loss}"


def _row(plan: Plan, record: RunRecord, folder: Path) -> Row:
    prepared = record.last(DataPrepared)
    params, tokens = plan.model.params, plan.data.tokens
    return Row(
        name=plan.name,
        params=params,
        tokens=tokens,
        flops=6.0 * params * tokens,
        loss=record.validations()[-1].loss,
        tokenizer="" if prepared is None else prepared.tokenizer_sha256[:8],
        run=str(folder),
    )


def rows_of(states: list[RungState]) -> list[dict[str, Any]]:
    """The finished rungs as plain data."""
    return [asdict(state.row) for state in states if state.row is not None]


def as_csv(states: list[RungState]) -> str:
    """The finished rungs as CSV, one line each after a line of column names."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(Row.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows_of(states))
    return out.getvalue()
