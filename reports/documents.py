"""What a report knows, before it is drawn: every number once, as a value and as the text that people read.

Terminal, Markdown, HTML and JSON are all rendered from these documents and format nothing themselves.
"""

from typing import Annotated, Literal

from pydantic import Field

from sixnd.specs.document import Document
from sixnd.specs.plan import PlannedPipeline

Status = Literal["within", "outside", "as planned", "so far", "beyond the law's range", "not predicted", "not measured"]
"""How an actual stands to its plan.

``within``/``outside``: in or out of the planned 80 % interval; ``as planned``: a planned count was met exactly;
``so far``: the run has not ended, so a total cannot be judged; ``beyond the law's range``: the plan itself says
that it extrapolates, so its interval cannot judge; ``not predicted``: no law speaks of it; ``not measured``: nothing
in the record tells it.
"""
State = Literal["not started", "running", "finished", "failed", "interrupted", "paused"]


class Figure(Document):
    """One number: its value in the base unit, its 80 % interval where it is an estimate, and its text."""

    value: float | None
    """None where the number is not finite."""
    low: float | None = None
    high: float | None = None
    text: str
    """The value alone, e.g. `97 days`."""
    interval: str = ""
    """The interval alone, e.g. `88–110 days`; empty where the value is exact or measured."""
    full: str
    """Value and interval, e.g. `97 days (88–110)`."""


class Pair(Document):
    """A label and its text."""

    label: str
    text: str


class KeyNumber(Document):
    """One of the numbers that a plan is read for, and why it is what it is."""

    key: str
    label: str
    figure: Figure
    note: str = ""
    """What puts the number into proportion, e.g. `of 80 GB`."""
    reason: str
    hero: bool = False
    """Whether it stands at the top of the page."""


class Part(Document):
    """A component of a total."""

    label: str
    figure: Figure
    share: str


class Choice(Document):
    """A decision of the plan, as it stands there."""

    what: str
    value: str
    reason: str
    source: str
    pinned: bool


class Option(Document):
    """A layout that was considered."""

    layout: str
    chosen: bool
    step_time: Figure | None
    memory: Figure | None
    why_not: str
    wall_time: Figure | None = None
    """Of the whole run, as `money` is; none in plans of before it was computed."""
    money: Figure | None = None
    headroom: Figure | None = None
    """Memory of the fullest rank that is left of what a plan may fill."""


class Ends(Document):
    """The run where one input is at the ends of a range."""

    input_at_low: Figure
    input_at_high: Figure
    wall_time_at_low: Figure
    wall_time_at_high: Figure
    money_at_low: Figure
    money_at_high: Figure


class SensitivityRow(Document):
    """How days and dollars move with one input."""

    what: str
    planned: Figure
    """The input as planned, with its 80 % interval where it has one."""
    interval: Ends | None
    """At the ends of that interval."""
    tenth: Ends
    """At 10 % less and 10 % more."""
    wall_time: str
    """From the low to the high end of the interval."""
    money: str
    tenth_text: str
    """By how much the cost, or the days of what costs nothing, change at 10 % less and more."""
    basis: str


class PipelineFacts(Document):
    """One step's pipeline schedule."""

    numbers: list[Pair]
    bubble: Figure
    """Share of the step that the busiest stage idles."""
    planned: PlannedPipeline


class SourceShare(Document):
    """A source of text: its planned share, and after a run its realised one."""

    name: str
    planned: Figure
    tokens: Figure
    unique_tokens: Figure | None
    """Declared by the spec, or `measured`."""
    measured: bool = False
    """Whether unique tokens were counted when the data was prepared."""
    epochs: Figure | None
    kind: str = ""
    """What the text is about, where the spec says so."""
    worth: Figure | None = None
    """Unique tokens that its tokens are worth, as planned."""
    realised: Figure | None = None
    sequences: Figure | None = None
    documents: Figure | None = None
    text: str = ""
    """Where its text comes from: a recipe or files."""
    stages: Annotated[list[str], Field(default_factory=list)]
    """What is done to it, in order, and last what is done across sources."""


class PhaseRow(Document):
    """What one phase of the training reads of one source."""

    phase: str
    steps: str
    """First and last."""
    source: str
    planned: Figure
    """Share of the phase's tokens."""
    tokens: Figure
    epochs: Figure | None
    realised: Figure | None = None
    sequences: Figure | None = None
    """Drawn in a run."""


class CurvePoint(Document):
    """A compute-optimal loss under the law."""

    compute_flops: float
    loss: float


class LawCurve(Document):
    """Loss against compute where N and D are chosen optimally, and where the plan stands."""

    law: str
    points: list[CurvePoint]
    """Empty where the law is not in this installation's catalog as the plan knew it."""
    fitted_low_flops: float | None
    fitted_high_flops: float | None
    planned_flops: float


class LawRow(Document):
    """What one law would choose for the plan's compute."""

    law: str
    params: Figure | None
    """None where the law speaks of loss alone; its interval is of 80 %."""
    tokens_per_param: float | None
    loss: Figure | None
    """None where the law speaks of N and D alone."""
    decades_outside: float
    note: str
    chosen: bool
    """Whether the plan is made by it."""


class Row(Document):
    """One line of planned against actual."""

    key: str
    label: str
    planned: Figure
    actual: Figure | None
    """None where it was not measured."""
    difference: str
    status: Status
    status_text: str
    """The status as a person reads it, e.g. `outside, above`."""
    note: str = ""
    hero: bool = False


class Baseline(Document):
    """How the model stands to one that knows only how often each token occurs."""

    unigram: Figure
    validation: Figure | None
    step: int | None
    """Step of that validation."""
    gain: Figure | None
    """Nats by which the validation loss is lower (negative: higher) than the unigram model's."""


class Attempt(Document):
    """One start of the training processes."""

    number: int
    started: str
    ended: str
    resumed_from_step: int
    last_step: int | None
    steps: int
    wall_time: Figure | None
    outcome: str
    cause: str
    layout: str
    machine: str


class LogEntry(Document):
    """One line of a run's log."""

    time: str
    """UTC; empty where the record tells only the step."""
    step: int
    what: str
    """`started`, `note`, `alarm, skip`, the status of an end, and the like."""
    text: str


class Checkpoint(Document):
    """A complete checkpoint."""

    step: int
    path: str
    seconds: Figure


class TextSample(Document):
    """A continuation by the trained model."""

    source: str
    prompt: str
    continuation: str


class Series(Document):
    """A quantity over the run; long ones are thinned so that their spikes stay."""

    key: str
    label: str
    unit: str
    steps: list[int]
    tokens: list[int]
    values: list[float | None]
    """None where the value is not finite."""
    recorded: int
    """Points before thinning."""
