"""What a report of a fitted law knows, before it is drawn. Intervals are of 95 %, as in the law document."""

from typing import Literal

from sixnd.reports.documents import Figure, KeyNumber, Pair
from sixnd.specs.document import Document


class Allocation(Document):
    """The compute-optimal N and D for one budget."""

    compute_flops: float
    compute: str
    params: Figure
    tokens: Figure
    tokens_per_param: Figure
    loss: Figure
    decades_outside: float
    """How far the budget lies beyond the compute of the runs, in powers of ten; 0 inside."""
    where: str
    """The same in words."""


class OptimalPoint(Document):
    """N and D for a budget, FLOPs, with the ends of their intervals where there are any."""

    compute_flops: float
    params: float
    tokens: float
    loss: float | None = None
    params_interval: list[float] | None = None
    tokens_interval: list[float] | None = None
    loss_interval: list[float] | None = None


class OptimalLine(Document):
    """N* and D* against compute, by this law, one of its approaches, or a published law."""

    name: str
    kind: Literal["this law", "approach", "published"]
    label: str
    """What it is called beside the others."""
    coefficient: float
    """N* = coefficient · C^exponent, C in FLOPs."""
    exponent: Figure
    bias: float | None = None
    """Share by which approach 2 would misplace N* at the largest budget, were the fitted surface true."""
    points: list[OptimalPoint]
    """From the smallest run's compute to the end of the frontier."""
    at_largest: OptimalPoint
    """At the compute of the largest run."""
    at_end: OptimalPoint
    """At the largest compute of the frontier."""
    note: str
    source: str


class PublishedModel(Document):
    """A model of the catalog of published runs whose compute lies on the frontier that is drawn."""

    name: str
    params: float
    tokens: float
    compute_flops: float
    source: str


class RunPoint(Document):
    """One fitted run."""

    row: str
    compute_flops: float
    """6ND."""
    params: float
    tokens: float
    loss: float
    predicted: float
    left_out: float
    residual: float
    """What of the measured loss the law leaves: 1 − predicted / loss."""
    left_out_error: float
    """The same by the law fitted to all other runs."""
    outlier: bool


class Isoflop(Document):
    """The runs of one budget and the parabola through them."""

    compute_flops: float
    params: float
    """Where the parabola is lowest."""
    loss: float
    coefficients: list[float]
    runs: list[int]
    """Positions in ``LawFacts.runs``."""
    left_out: str


class LawFacts(Document):
    """Everything a report of a fitted law shows."""

    version: Literal["law-facts/1"] = "law-facts/1"
    name: str
    verdict: str
    state: str
    constants: list[KeyNumber]
    """Constants of the law, what follows from them, and how well they fit."""
    allocations: list[Allocation]
    lines: list[OptimalLine]
    """This law first."""
    largest_run: str
    """Compute of the largest run, as text."""
    frontier_end: str
    """Largest compute of the frontier, as text."""
    fitted_compute: list[float]
    """Compute of the smallest and of the largest run, FLOPs."""
    published_models: list[PublishedModel]
    isoflops: list[Isoflop]
    runs: list[RunPoint]
    residual_sd: float | None
    """Robust standard deviation of log loss around the fit; none where too few runs leave none."""
    refused: list[Pair]
    notes: list[str]
    """What a reader must know to read the numbers rightly."""
    provenance: list[Pair]
    warnings: list[str]

    def constant(self, key: str) -> KeyNumber:
        """The constant of that name."""
        return next(number for number in self.constants if number.key == key)
