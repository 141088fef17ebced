"""What evaluations leave in a run's record."""

from typing import Annotated, Literal

from pydantic import Field

from sixnd.specs.document import Document


class SourceLoss(Document):
    """The loss on one source's held-out text."""

    name: str
    """Name of the source."""
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
    """Step after which it was measured."""
    sources: list[SourceLoss]
    """Each source's held-out text."""
    seconds: float
    """Time it took."""


class TaskItems(Document):
    """One task's items, as they were written for the whole run."""

    task: str
    """Name of the task."""
    items: int
    """0 where the held-out text gave none."""
    discrete: str
    """What is right or wrong of an item."""
    chance: float
    """Share of items that is right by chance, by construction."""
    chance_basis: str
    """What its level of chance is made of."""


class TasksWritten(Document):
    """The items that every checkpoint of the run answers."""

    kind: Literal["tasks"] = "tasks"
    path: str
    """Relative to the run folder."""
    sha256: str
    """Of the file of items."""
    tasks: list[TaskItems]
    """The items of each task."""


class Measured(Document):
    """A mean over items with its 95 % interval."""

    name: str
    """Name of the metric."""
    value: float
    """What was measured."""
    low: float
    """Low end of its 95 % interval."""
    high: float
    """High end of its 95 % interval."""
    better: Literal["higher", "lower"]
    """Whether more or less of it is better."""


class TaskScore(Document):
    """How one task's items were answered."""

    task: str
    """Name of the task."""
    items: int
    """Items that were answered."""
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
    """Step after which they were answered."""
    tokens: int
    """Trained on so far."""
    scores: list[TaskScore]
    """Each task's metrics."""
    seconds: float
    """Time it took."""


EvaluationEvent = SourceLosses | TasksWritten | TaskScores
