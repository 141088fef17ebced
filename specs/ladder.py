"""Ladder: the small runs from which the law of a large one is fitted. `sixnd ladder` writes it beside their specs."""

from typing import Annotated, Literal

from pydantic import Field

from sixnd.specs.document import Document, Name
from sixnd.specs.laws import Positive, Range
from sixnd.specs.plan import Count, Estimate

DesignName = Literal["optimal", "isoflop", "grid"]


class LadderTarget(Document):
    """The run the ladder is for."""

    spec: str
    """Its budget spec, relative to this file."""
    spec_sha256: str
    """Of the spec of the large run."""
    compute_flops: Positive
    """C = 6ND."""
    budget_flops: Positive
    """Its training compute as the spec counts it; the share is of this."""
    accelerator_hours: Estimate
    """What the large run would take."""
    params: Positive
    """Compute-optimal N by the law before the ladder."""
    tokens: Positive
    """D that goes with it."""
    loss: Positive
    """L there, nats per token, on the law's own corpus and tokenizer."""


class Expected(Document):
    """Intervals of the compute-optimal N and of its loss, around the law's own values."""

    params_80: Range
    """80 % interval of N* at the target."""
    params_95: Range
    """95 % interval of N* at the target."""
    loss_80: Range
    """Nats per token."""
    loss_95: Range
    """95 % interval of the loss at the target."""


class DesignOption(Document):
    """One way to spend the same compute on as many runs, and what it is expected to tell."""

    design: DesignName
    """How its runs are placed."""
    runs: Count
    """How many runs it has."""
    compute_flops: Positive
    """As the spec counts compute."""
    expected: Expected
    """What a fit of them would tell of the target."""
    breaks: list[str]
    """Limits of a rung that it does not keep, which the optimal design does."""


class Rung(Document):
    """One small run."""

    name: Name
    """Name of the run; its spec has the same."""
    spec: str
    """Its budget spec, relative to this file."""
    params: Count
    """Total parameters N."""
    tokens: Count
    """D."""
    compute_flops: Positive
    """C = 6ND."""
    steps: Count
    """Optimizer steps."""
    seed: Count
    """Seed of its weights and data."""
    accelerators: Count
    """How many it trains on."""
    wall_time_s: Estimate
    """Wall-clock, seconds."""
    accelerator_hours: Estimate
    """Accelerator-hours."""
    money_usd: Estimate
    """Cost, USD."""


class Ladder(Document):
    """Small runs for one target: what each is, what all cost, and what they are expected to tell."""

    version: Literal["ladder/1"]
    name: Name
    """Name of the target."""
    sixnd_version: str
    target: LadderTarget
    """The large run that it is to tell of."""
    law: str
    """Law that the design starts from."""
    share: Annotated[float, Field(gt=0, lt=1)]
    """Share of the target's compute that the ladder may spend."""
    spent_share: Annotated[float, Field(gt=0, lt=1)]
    """Share that it spends."""
    noise_sd: Positive
    """Standard deviation of a run's log loss around the law, as assumed."""
    noise_source: str
    """Where the noise that is expected of its runs comes from."""
    tokens_per_param: Range
    """Smallest and largest D/N that a rung may have."""
    design: DesignName
    """How the rungs were chosen."""
    before: Expected
    """Without the ladder: the law, on another corpus than its own."""
    after: Expected
    """From a fit to the ladder's runs: alone, or with those of a law of the same corpus, as `basis` says."""
    basis: str
    """How the intervals were computed, and what they leave out."""
    options: list[DesignOption]
    """The designs that were compared, at equal cost and number of runs."""
    accelerator_hours: Estimate
    """Of all runs."""
    money_usd: Estimate
    """Of all runs."""
    rungs: Annotated[list[Rung], Field(min_length=5)]
    """In rising order of compute."""
    notes: list[str]
    """What a reader must know."""
