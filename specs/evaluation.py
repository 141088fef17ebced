"""When and on what a model in training is measured: validation loss, loss of each source, downstream tasks."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sixnd.specs.document import Document
from sixnd.specs.errors import SixndError
from sixnd.specs.quantity import WHOLE, AutoCount, AutoTokens, Tokens

TaskName = Literal["cloze", "choice", "arithmetic", "copying", "induction", "brackets"]
TASK_ROWS: dict[str, int] = {
    "cloze": 1,
    "choice": 4,
    "arithmetic": 1,
    "copying": 1,
    "induction": 1,
    "brackets": 3,
}
"""Sequences that one item of each task is: one a choice."""
_BATCHES = 8
ITEM_TOKENS = 128
"""Tokens of an item at most; less where the model's sequences are shorter."""
MOST_TASK_STEPS = 1000


class Evaluation(Document):
    """When the validation loss is measured, and what else."""

    every_steps: AutoCount = None
    """Steps between validations; `auto` measures about ten times."""
    batches: Annotated[int, Field(ge=1), WHOLE] = _BATCHES
    """Global batches in one validation."""
    tokens: AutoTokens = None
    """Tokens of one validation in place of `batches`, rounded up to whole global batches. They are all that is held
    out: runs whose batches and lengths differ are then validated on the same text."""
    source_batches: AutoCount = None
    """Global batches of each source's own held-out text, at most, whose loss and bits per byte are measured at every
    validation; `auto`: over all sources about as many as `batches`."""
    tasks: list[TaskName] = Field(default_factory=list)
    """Downstream tasks, made of held-out text (`cloze`, `choice`) or of a seed (`arithmetic`, `copying`, `induction`,
    `brackets`); none by default."""
    at: list[Tokens] = Field(default_factory=list)
    """Training tokens after which the tasks are answered, e.g. `[100M tokens, 1B tokens]`; the end is always one."""
    every: AutoTokens = None
    """Training tokens between two answerings; `auto`: at every validation, unless `at` is given."""
    items: Annotated[int, Field(ge=10, le=10_000), WHOLE] = 200
    """Items of each task, fewer where the held-out text gives fewer. An accuracy near one half of 200 items is known
    to ±7 percentage points (95 %)."""
    item_seed: Annotated[int, Field(ge=0, le=2**31 - 1), WHOLE] = 1
    """Seed of the items. Runs that share it, the tokenizer and the held-out text answer the same items."""

    @model_validator(mode="after")
    def _tasks_and_their_times_agree(self) -> "Evaluation":
        if len(set(self.tasks)) < len(self.tasks):
            raise SixndError("a task is named twice", "name each once")
        if self.tokens is not None and self.batches != _BATCHES:
            raise SixndError("`tokens` and `batches` both say on how much is validated", "keep one of them")
        if self.at and self.every is not None:
            raise SixndError("`at` and `every` both say when the tasks are answered", "keep one of them")
        if not self.tasks and (self.at or self.every is not None):
            raise SixndError("`at` and `every` mean nothing without tasks", f"name some of {', '.join(TASK_ROWS)}")
        return self
