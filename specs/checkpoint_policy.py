"""When the training state is saved and which checkpoints are kept: as asked in a spec, and as a plan holds it."""

from typing import Annotated

from pydantic import Field

from sixnd.specs.document import Document
from sixnd.specs.quantity import WHOLE, AutoCount


class Checkpoints(Document):
    """When state is saved, and how much of it is kept."""

    every_steps: AutoCount = None
    """Steps between checkpoints; `auto` balances lost work against the cost of saving."""
    keep_last: Annotated[int, Field(ge=1), WHOLE] = 2
    """Checkpoints kept; older ones are removed after a newer one is complete."""
    keep_every_nth: Annotated[int, Field(ge=1), WHOLE] | None = None
    """Beside them, each n-th checkpoint is kept for ever: those after steps that n times `every_steps` divides."""
    keep_best: Annotated[int, Field(ge=0), WHOLE] = 0
    """Beside them, so many of the least validation loss are kept; the loss is then measured before each checkpoint
    too, which takes its time and changes no step."""
    stall_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of a checkpoint's writing in which training waits, for the estimates: 1 as `sixnd run` saves, less for
    software that writes while it trains on."""


class PlannedCheckpoints(Document):
    """When state is saved, and which checkpoints are kept."""

    every_steps: Annotated[int, Field(ge=1)]
    """Steps between two checkpoints."""
    keep_last: Annotated[int, Field(ge=1)]
    """How many of the newest are kept."""
    keep_every_nth: Annotated[int, Field(ge=1)] | None = None
    """None keeps none beyond the others."""
    keep_best: Annotated[int, Field(ge=0)] = 0
    """By validation loss."""
