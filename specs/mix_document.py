"""MixDocument: a law of loss by data mix, fitted to small runs, and the best mix by it. `sixnd fit --mix` writes it.

A spec names the file (`data: {mix: my-mix.yaml}`), and the plan takes the weights from it.
"""

from typing import Annotated, Literal

from pydantic import Field

from sixnd.specs.document import Document, Name
from sixnd.specs.law_document import Pair, RefusedRow
from sixnd.specs.laws import Finite, Positive
from sixnd.specs.mixes import MixLaw


class Target(Document):
    """Loss on one validation text: L = floor + exp(Σ exponents · weights), nats a token."""

    name: str
    """Its column without `loss:`."""
    importance: Annotated[float, Field(ge=0, le=1)]
    """Its part in the loss that is minimised; the parts sum to 1."""
    floor: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Loss that no mix goes below, c."""
    exponents: dict[str, Finite]
    """Of each domain's weight."""
    residual_sd: Annotated[float, Field(ge=0)]
    """Standard deviation of log loss around the fit."""
    leave_one_out_error: Annotated[float, Field(ge=0)]
    """Median relative error of each run's loss predicted from the others."""


class MixRun(Document):
    """One run the law was fitted to."""

    row: str
    """Where it stands in the input."""
    weights: dict[str, Annotated[float, Field(ge=0, le=1)]]
    """Share of each domain."""
    loss: Positive
    """Measured, weighted by the targets' importance."""
    predicted: Positive
    """Sum of the losses by the law."""
    left_out: Positive
    """Predicted by the law fitted to all runs but this one."""


class MixFit(Document):
    """How the law was found."""

    data: str
    """Name of the table of runs."""
    data_sha256: str
    """Of that table."""
    targets: Annotated[list[Target], Field(min_length=2)]
    """The losses whose weighted sum is least."""
    loss: Positive
    """Predicted at the best mix."""
    loss_interval: Pair
    """95 % interval of that sum at the best mix."""
    ranges: dict[str, Pair]
    """Smallest and largest weight of each domain in the runs; the best mix stays within."""
    interval_method: str
    """How the intervals were made."""
    warnings: list[str]
    """What a reader must know."""
    runs: list[MixRun]
    """Runs that it was fitted to."""
    refused: list[RefusedRow]
    """Rows that are no runs."""


class MixDocument(Document):
    """A fitted mixing law."""

    version: Literal["mix-law/1"]
    sixnd_version: str
    name: Name
    """Name of the mix in plans and reports."""
    mix: MixLaw
    """The best mix."""
    fit: MixFit
    """How it was found."""
