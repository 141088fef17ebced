"""LawDocument: a law fitted to runs, with everything a reader needs to judge it. `sixnd fit` writes it.

The planner takes it like a catalog entry (`law: my-law.yaml` in a spec), the reports draw it.
"""

from typing import Annotated, Literal

from pydantic import Field

from sixnd.specs.document import Document, Name
from sixnd.specs.laws import Finite, Positive, RepetitionConstants, SurfaceLaw

Pair = Annotated[list[Finite], Field(min_length=2, max_length=2)]
"""Low and high end of a 95 % interval."""
Form = Literal["chinchilla", "over-training", "data-constrained", "downstream"]
"""A loss surface; one with alpha = beta; one with the worth of repetition; one with the metric of a task."""


class FittedRun(Document):
    """One run the law was fitted to."""

    row: str
    """Where it stands in the input, e.g. `runs.csv:12`, and its name if it has one."""
    params: Positive
    """N."""
    tokens: Positive
    """D."""
    loss: Positive
    """Measured, nats per token."""
    predicted: Positive
    """By the law fitted to all runs."""
    left_out: Positive
    """By the law fitted to all runs but this one."""
    outlier: bool
    """Whether its residual is too far from the others'; it stays in the fit, where the Huber loss limits its pull."""


class RefusedRow(Document):
    """A row of the input that is no run."""

    row: str
    """Where it stands in the input."""
    why: str
    """What is wrong with it."""


class BackTest(Document):
    """The law fitted to the smaller runs alone, held against the larger ones."""

    share: Annotated[float, Field(gt=0, lt=1)]
    """Of the largest run's compute: the runs up to it were fitted."""
    fitted: Annotated[int, Field(ge=1)]
    """How many runs those are."""
    predicted: Annotated[int, Field(ge=1)]
    """How many larger runs were predicted from them."""
    median_error: Annotated[float, Field(ge=0)]
    """Median relative error of the larger runs' losses."""
    inside: Annotated[int, Field(ge=0)]
    """How many of them lay within the 95 % interval that draws and residuals give, without what is learnt here."""


class Convergence(Document):
    """How sure it is that no better fit exists."""

    starts: Annotated[int, Field(ge=1)]
    """Starting points tried."""
    reached: int
    """Of them, how many ended at this optimum."""
    best_other: float | None
    """Lowest objective of any other optimum found; none where all starts agree."""
    gradient: float
    """Largest component of the gradient at the optimum, relative to the objective's own terms."""


class Frontier(Document):
    """The compute-optimal allocation for one budget, with 95 % intervals."""

    C: Positive
    """Compute, FLOPs."""
    N: Positive
    """Compute-optimal parameters."""
    D: Positive
    """Compute-optimal tokens."""
    L: Positive
    """Loss there, nats a token."""
    intervals: dict[Literal["N", "D", "L", "tokens_per_param"], Pair]
    """95 % intervals of N, D, L and D/N."""


class Parabola(Document):
    """One isoFLOP curve: L as a parabola in ln N, and its vertex (approach 2)."""

    C: Positive
    """Compute of its runs, FLOPs."""
    coefficients: Annotated[list[Finite], Field(min_length=3, max_length=3)]
    """L = c0 + c1·ln N + c2·(ln N)²."""
    N: Positive
    """N at its vertex."""
    L: Finite
    """Loss at its vertex."""
    runs: list[int]
    """Which of the fitted runs lie on it."""
    left_out: str = ""
    """Why its vertex does not count, e.g. outside the sizes that were run; empty where it counts."""


class Approach(Document):
    """N* = coefficient · C^exponent by one of Chinchilla's first two approaches."""

    approach: Literal[1, 2]
    """Envelope of training curves (1), or isoFLOP parabolas (2)."""
    coefficient: Positive
    """Of N*."""
    exponent: float
    """Of N*."""
    exponent_interval: Pair
    """95 % interval of the exponent of N*."""
    tokens_coefficient: Positive
    """Of D*."""
    tokens_exponent: float
    """Of D*."""
    points: list[Annotated[list[Positive], Field(min_length=2, max_length=2)]]
    """(C, N*) that the line goes through."""
    bias: float | None = None
    """Share by which this design's parabolas would misplace N* at the largest budget, were the fitted surface true."""


class Task(Document):
    """Error of a task as a curve of the loss: error = worst − scale·exp(−rate·L) (Gadre et al. 2024, eq. 5)."""

    worst: float
    """Error at a large loss."""
    scale: float
    """How far the error falls below it."""
    rate: float
    """How fast it falls as the loss does."""
    residual_sd: float
    """Standard deviation of the error around the curve."""
    loss_range: Pair
    """Losses of the runs behind it."""
    draws: list[Annotated[list[Finite], Field(min_length=3, max_length=3)]]
    """(worst, scale, rate) of resampled runs."""
    notes: list[str]
    """What a reader must know."""


class Fit(Document):
    """How the law was found."""

    form: Form
    """Form that was fitted."""
    data: str
    """Input file, and its columns where they were named."""
    data_sha256: str
    """Of the table of runs."""
    estimator: Literal["frontier", "huber", "likelihood"]
    """Huber losses with a fixed threshold, runs near the frontier counting most, or all alike; or a Huber likelihood
    with a free scale."""
    delta: Positive
    """Huber's threshold on log loss."""
    objective: float
    """Sum of Huber losses of log loss at the optimum, each times what its run counts."""
    leave_one_out_error: Annotated[float, Field(ge=0)]
    """Median relative error of each run's loss predicted from the others."""
    back_tests: list[BackTest] = Field(default_factory=list)
    """The smaller runs against the larger: a quarter, an eighth, a sixteenth of the compute, where enough are left."""
    convergence: Convergence
    """Starting points that were tried, and what they found."""
    interval_method: str
    """How the intervals were made."""
    warnings: list[str]
    """Weak identification, outliers, suspicious units: in words."""
    runs: list[FittedRun]
    """Runs that it was fitted to."""
    refused: list[RefusedRow]
    """Rows that are no runs."""
    frontier: list[Frontier]
    """From the smallest run's compute to well beyond the largest's."""
    parabolas: list[Parabola]
    """IsoFLOP curves, where the runs have them."""
    approaches: list[Approach]
    """Chinchilla's approaches 1 and 2, where the runs allow them."""


class LawDocument(Document):
    """A law fitted to runs."""

    version: Literal["law/1"]
    name: Name
    """Name of the law in plans and reports."""
    sixnd_version: str
    law: SurfaceLaw
    """Its constants and how sure they are."""
    repetition: RepetitionConstants | None = None
    """Worth of repeated data, where the form has it."""
    task: Task | None = None
    """Error of a task as a curve of the loss, where the form has it."""
    fit: Fit
    """How it was fitted."""
