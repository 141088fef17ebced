"""CalibrationDocument: constants of the step-time model re-fitted to what one's own machine was measured to do.

`sixnd calibrate` writes it; a spec's `cluster.calibration` names it, and is read with it inside.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sixnd.specs.document import Document, Name
from sixnd.specs.errors import SixndError

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Row = list[Annotated[float, Field(allow_inf_nan=False)]]


class CalibratedConstant(Document):
    """One constant of the step-time model, before and after."""

    name: str
    """Field of the catalog's family of chips; of a precision, `matmul.bf16`."""
    before: NonNegative
    """The catalog's value."""
    value: NonNegative
    """The most probable value given the rows."""
    spread_before: Positive
    """Standard deviation of its logarithm before anything was measured."""
    spread: Positive
    """The same given the rows."""


class Evidence(Document):
    """One measured configuration and what the model says of it."""

    what: str
    """The model, its layout and its batch."""
    source: str
    """Log with its first and last line, run folder, or machine that was profiled."""
    steps: Annotated[int, Field(ge=1)]
    """Step times behind the median; a line of a log that averages several counts as one."""
    measured_s: Positive
    """Median step time."""
    noise: NonNegative
    """Standard deviation of the logarithm of that median."""
    predicted_before_s: Positive
    """By the catalog's constants."""
    predicted_s: Positive
    """By the re-fitted constants."""


class Calibration(Document):
    """Constants of the step-time model, re-fitted."""

    version: Literal["calibration/1"]
    """Version of this document's format: `calibration/1`."""
    name: Name
    """Name of the calibration in plans and reports."""
    sixnd_version: str
    """Release that made it."""
    accelerator: str
    """Catalog entry whose constants these are."""
    precision: Literal["bf16", "fp32", "fp8", "fp4"]
    """Of the matrix products that were measured."""
    relative_error_before: Positive
    """Half-width of the catalog's 80 % interval of step time, by ratio."""
    relative_error: Positive
    """The same for runs like those measured; a plan computes its own, which is wider where its run is unlike them."""
    excess: Annotated[float, Field(ge=1)]
    """How much more the rows scatter around the fit than the model's own error, in standard deviations; 1 where they do
    not. Intervals widen by it."""
    constants: Annotated[list[CalibratedConstant], Field(min_length=1)]
    """Those that the rows say something of; the others stay the catalog's."""
    log_covariance: list[Row]
    """Covariance of the logarithms of the constants, in their order: row i holds its first i + 1 entries."""
    evidence: Annotated[list[Evidence], Field(min_length=1)]
    """What was measured."""
    notes: list[str]
    """What a reader must know: lines left out, constants at their bounds, rows that contradict each other."""

    @model_validator(mode="after")
    def _covariance_fits(self) -> "Calibration":
        if [len(row) for row in self.log_covariance] != list(range(1, len(self.constants) + 1)):
            what = "log_covariance is not the lower triangle over constants: rows of 1, 2, 3, … entries"
            raise SixndError(what, "calibrate anew")
        if any(row[-1] <= 0 for row in self.log_covariance):
            what = "log_covariance has a variance (last entry of a row) that is not positive"
            raise SixndError(what, "calibrate anew")
        return self
