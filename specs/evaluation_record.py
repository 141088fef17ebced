"""What evaluations leave in a run's record."""

from typing import Annotated, Literal

from pydantic import Field

from sixnd.specs.document import Document


class SourceLoss(Document):
    """The loss on one source's held-out text."""

    name: str
    loss: float
    """Nats per token, end-of-document marks counted as tokens."""
    tokens: int
    """That were predicted."""
    bytes: int
    """Of the same text in UTF-8."""
    bits_per_byte: float
    """loss · tokens / bytes / ln 2."""


class SourceLosses(Document):
    """The loss on held-out text, source by source."""

    kind: Literal["source_losses"] = "source_losses"
    attempt: int
    step: int
    sources: list[SourceLoss]
    seconds: float


class TaskItems(Document):
    """One task's items, as they were written for the whole run."""

    task: str
    items: int
    """0 where the held-out text gave none."""
    discrete: str
    """What is right or wrong of an item."""
    chance: float
    """Share of items that is right by chance, by construction."""
    chance_basis: str


class TasksWritten(Document):
    """The items that every checkpoint of the run answers."""

    kind: Literal["tasks"] = "tasks"
    path: str
    """Relative to the run folder."""
    sha256: str
    """Of the file of items."""
    tasks: list[TaskItems]


class Measured(Document):
    """A mean over items with its 95 % interval."""

    name: str
    value: float
    low: float
    high: float
    better: Literal["higher", "lower"]


class TaskScore(Document):
    """How one task's items were answered."""

    task: str
    items: int
    discrete: Measured
    """Share of items that are right, with Wilson's interval."""
    continuous: Annotated[list[Measured], Field(min_length=1)]
    """Of the same answers, with bootstrap intervals; `probability` and `nats per byte` are among them."""

    def measure(self, name: str) -> Measured:
        """The continuous measure of that name."""
        return next(each for each in self.continuous if each.name == name)


class TaskScores(Document):
    """One answering of all tasks."""

    kind: Literal["task_scores"] = "task_scores"
    attempt: int
    step: int
    tokens: int
    """Trained on so far."""
    scores: list[TaskScore]
    seconds: float


EvaluationEvent = SourceLosses | TasksWritten | TaskScores
