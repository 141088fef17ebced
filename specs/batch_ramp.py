"""A batch that grows while a model trains: what a spec asks for, and what a plan holds of it."""

from typing import Annotated, Literal

from pydantic import Field

from sixnd.specs.document import Document
from sixnd.specs.quantity import Tokens


class BatchStage(Document):
    """A smaller batch up to a point."""

    until: Tokens
    """Tokens of the run after which the next batch is taken, e.g. `252M tokens`: at the first step that begins with
    at least so many read."""
    global_batch: Tokens
    """Tokens in one optimizer step until then, e.g. `4M tokens`."""


class BatchRamp(Document):
    """Smaller batches at the start of training.

    Give `stages`, as Llama 3 (Dubey et al. 2024, arXiv:2407.21783, §3.4.1), or `start` with `tokens` or `fraction`: the
    batch then grows from `start` by equal increments, as GPT-3's (Brown et al. 2020, arXiv:2005.14165, appendix B).
    """

    stages: Annotated[list[BatchStage], Field(min_length=1)] | None = None
    """Batches in order, each larger than the one before; after the last, `training.global_batch` is taken."""
    start: Tokens | None = None
    """Batch of the first step, e.g. `512k tokens`."""
    increment: Tokens | None = None
    """With `start`: tokens by which the batch grows at a time; by default as many as it starts with."""
    tokens: Tokens | None = None
    """With `start`: tokens of the run over which the batch grows, e.g. `12B tokens`; each increment takes as many."""
    fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    """With `start`: the same as a share of the training tokens."""
    learning_rate: Literal["schedule", "square-root"] = "schedule"
    """Learning rate while the batch is smaller: what the schedule says, as published runs do, or that times the square
    root of the batch over the full one, as Adam's rate goes with the batch (Malladi et al. 2022)."""


class PlannedBatch(Document):
    """A stretch of steps of one batch."""

    first_step: Annotated[int, Field(ge=1)]
    """From 1."""
    last_step: Annotated[int, Field(ge=1)]
    """Last step that has it."""
    global_batch: Annotated[int, Field(ge=1)]
    """Sequences in one optimizer step."""

    @property
    def steps(self) -> int:
        """How many there are."""
        return self.last_step - self.first_step + 1
