"""What a report of a run knows, before it is drawn."""

from typing import Literal

from sixnd.reports.data_documents import DataFacts
from sixnd.reports.documents import (
    Attempt,
    Baseline,
    Checkpoint,
    Figure,
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


class TimePart(Document):
    """A share of a run's wall time."""

    key: str
    label: str
    figure: Figure | None
    """None where the record does not tell it."""
    share: Figure | None
    """Of the wall time."""


class TimeFacts(Document):
    """Where the wall time of all attempts went."""

    wall: Figure
    parts: list[TimePart]
    """They add up to the wall time, but for the resolution of the clock and what a missing end hides."""
    goodput: Figure | None
    """Share of the wall time that went into steps that count and into evaluations; none before the first step."""
    between: Figure | None
    """How long the run stood between attempts, which is not in the wall time; none of a single attempt."""
    notes: list[str]


class Interruption(Document):
    """What one cause of stops cost."""

    cause: str
    attempts: list[int]
    """That it ended."""
    steps: int
    """Steps done again because of it."""
    lost: Figure
    """Time of those steps, of a hang, and of the start-ups behind it."""
    stood: Figure | None
    """How long the run stood until the next attempt; none where there is none yet, or the record does not tell."""
    open: bool
    """Whether the run has not gone on since."""


class AlarmRow(Document):
    """Alarms of one rule that were answered alike."""

    rule: str
    action: str
    done: str
    """What was done, in words."""
    times: int
    first_step: int
    last_step: int
    worst: str
    undone: int
    """Steps that were undone, or kept from the weights."""
    lost: Figure
    """Time of those steps."""
    message: str
    """Of the last one."""


class AlarmMark(Document):
    """An alarm as it is marked on the curves."""

    step: int
    rule: str
    done: str
    message: str


class LawRange(Document):
    """Tokens for which the compute of a model of this size, 6 N D, is within what the law was fitted on."""

    low_tokens: float
    high_tokens: float
    all_tokens: float
    """Of the whole run."""

    @property
    def extrapolates(self) -> bool:
        """Whether the last step lies outside."""
        return not self.low_tokens <= self.all_tokens <= self.high_tokens


class ProgressRow(Document):
    """A total at the end, at the present pace."""

    key: str
    label: str
    figure: Figure
    planned: Figure
    course: str
    """How it will stand to the plan if nothing changes."""


class ProgressFacts(Document):
    """How far a run is that has not reached its last step."""

    step: int
    steps: int
    share: Figure
    """Of the tokens."""
    left: Figure
    """Time to the last step at the median pace of the last steps, with evaluations and checkpoints as so far."""
    rows: list[ProgressRow]


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
    progress: ProgressFacts | None
    """None before the first step and after the last."""
    time: TimeFacts | None
    """None before the first launch."""
    interruptions: list[Interruption]
    alarms: list[AlarmRow]
    alarm_marks: list[AlarmMark]
    """Alarms of single steps, the last ones, with their steps."""
    law_range: LawRange | None
    """Where on the way the prediction of the loss extrapolates; none where the law's own range is not known."""
    attempts: list[Attempt]
    checkpoints: list[Checkpoint]
    log: list[LogEntry]
    """What happened and what people noted, in order."""
    samples: list[TextSample]
    series: list[Series]
    card: list[Pair]
    """The model card; empty before the first step."""
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
