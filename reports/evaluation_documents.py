"""What a report knows of evaluations in the loop: the loss of each source, and every task's pair of metrics."""

from typing import Literal

from sixnd.reports.documents import Figure
from sixnd.specs.document import Document


class SourceCurve(Document):
    """One source's loss on its held-out text, over the run."""

    name: str
    loss: Figure
    """At the last measurement, as what follows."""
    bits_per_byte: Figure
    first_bits_per_byte: Figure
    held_out_tokens: Figure
    held_out_bytes: Figure
    steps: list[int]
    tokens: list[int]
    """Trained on when it was measured."""
    losses: list[float | None]
    """Nats per token; none where not finite, as `bits`."""
    bits: list[float | None]


class TaskPoint(Document):
    """One answering of a task."""

    step: int
    tokens: int
    discrete: Figure
    """With its 95 % interval, as the others."""
    probability: Figure
    nats_per_byte: Figure
    graded: Figure
    paired: Figure
    """The continuous metric that the discrete one is a threshold on, one of the others."""


class Link(Document):
    """Whether a discrete metric follows from the continuous one by a smooth link."""

    verdict: Literal["follows", "does not follow", "not measured"]
    text: str
    """In a sentence, with its reason or its numbers."""
    chi_squared: float | None = None
    degrees: int | None = None
    critical: float | None = None
    """Above which the link is contradicted, at 5 %."""


class TaskFacts(Document):
    """One task over the run."""

    task: str
    items: Figure
    discrete_name: str
    discrete_meaning: str
    graded_name: str
    paired_name: str
    """The Brier score of choices, else nats per byte."""
    chance: Figure
    chance_basis: str
    points: list[TaskPoint]
    moved_at: Figure | None
    """Tokens at which the paired metric first lay below its first interval; none where it never did."""
    left_chance_at: Figure | None
    """Tokens from which the discrete metric's interval lies above chance."""
    link: Link


class EvaluationFacts(Document):
    """Everything a report shows of evaluations; empty where none was made."""

    sources: list[SourceCurve]
    tasks: list[TaskFacts]
    unanswered: list[str]
    """Tasks that held-out text gave no item for, or that were not answered yet."""
    items_sha256: list[str]
    """Of the files of items that were answered: one, or the curves do not belong together."""
