"""What was published of whole training runs and of training speed: the catalogs an audit holds a claim against."""

from typing import Annotated, Literal

from pydantic import Field

from sixnd.specs.document import Document

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class PublishedRun(Document):
    """One training run as its authors published it."""

    description: str
    """Whose it is, and of which year."""
    params: Positive
    """N, the size the source names the model by."""
    active_params: Positive | None = None
    """With a mixture of experts: parameters a token passes through."""
    tokens: Positive
    """D, tokens trained on."""
    hardware: str | None = None
    """The accelerators in the source's words."""
    accelerator: str | None = None
    """The catalog's accelerator with the same dense BF16 peak; none where the catalog has none."""
    count: Annotated[int, Field(ge=1)] | None = None
    """Accelerators used at once."""
    accelerator_hours: Positive | None = None
    """Accelerator-hours of the whole run."""
    counts: str = ""
    """What the figures include or leave out, where that matters."""
    source: str


class PublishedMfu(Document):
    """The highest share of an accelerator's dense BF16 peak that a source of ours reports for training."""

    description: str
    """What was trained, on what, and how."""
    mfu: Positive
    """Model FLOPs a second over the dense BF16 peak."""
    precision: Literal["bf16", "fp8", "fp4"]
    """Of the matrix products; those of 8 and 4 bits have a higher peak of their own."""
    accelerator: str | None = None
    """The catalog's accelerator; none where the catalog has none."""
    counts: str
    """Which FLOPs are counted."""
    source: str
