"""What a report of a run knows, before it is drawn."""

from typing import Literal

from sixnd.reports.data_documents import DataFacts
from sixnd.reports.documents import (
    Attempt,
    Baseline,
    Checkpoint,
    LogEntry,
    Pair,
    PhaseRow,
    Row,
    Series,
    SourceShare,
    State,
    TextSample,
)
from sixnd.reports.evaluation_documents import EvaluationFacts
from sixnd.reports.forgetting_documents import ForgettingFacts
from sixnd.reports.plan_documents import PlanFacts
from sixnd.specs.document import Document


class RunFacts(Document):
    """Everything a report of a run shows."""

    version: Literal["run-facts/1"] = "run-facts/1"
    name: str
    state: State
    state_text: str
    verdict: str
    rows: list[Row]
    baseline: Baseline | None
    sources: list[SourceShare]
    phases: list[PhaseRow]
    """Sources by phase, planned and realised; empty where there is but one phase."""
    data: DataFacts
    """What became of the documents of every source; without sources where none was prepared yet."""
    evaluation: EvaluationFacts
    """Loss by source and downstream tasks; without either where none was measured."""
    forgetting: ForgettingFacts | None
    """What became of what the base knew; none where training started from new weights."""
    attempts: list[Attempt]
    checkpoints: list[Checkpoint]
    log: list[LogEntry]
    """What happened and what people noted, in order."""
    samples: list[TextSample]
    series: list[Series]
    provenance: list[Pair]
    notes: list[str]
    """What a reader must know to read the comparison rightly."""
    warnings: list[str]
    plan: PlanFacts

    def row(self, key: str) -> Row:
        """The row of that name."""
        return next(row for row in self.rows if row.key == key)

    def curve_of(self, key: str) -> Series:
        """The series of that name."""
        return next(series for series in self.series if series.key == key)
