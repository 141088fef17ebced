"""Low-rank adapters: what a spec asks of them, and what a plan holds (Hu et al. 2021, arXiv:2106.09685)."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from sixnd.specs.document import Document
from sixnd.specs.errors import SixndError
from sixnd.specs.quantity import WHOLE, AutoNumber

Target = Literal["attention", "feed-forward"]
"""`attention`: the matrix that makes queries, keys and values, and the output projection. `feed-forward`: gate and up,
and down."""
TARGETS: tuple[Target, ...] = ("attention", "feed-forward")


class Lora(Document):
    """Train low-rank adapters beside frozen weights: the model is W + (alpha / rank) · B · A, and only A and B learn.

    Forgets less than training all weights, and learns less (Biderman et al. 2024, arXiv:2405.09673).
    """

    rank: Annotated[int, Field(ge=1, le=4096), WHOLE] = 16
    """Rank of each update. What full training changes is of a rank 10 to 100 times as high, so more learns more:
    Biderman et al. 2024 took 16, 64 and 256."""
    alpha: AutoNumber = None
    """Scale of the update, divided by the rank; `auto` is twice the rank (Biderman et al. 2024)."""
    targets: list[Target] = Field(default_factory=lambda: list(TARGETS), min_length=1)
    """Matrices of every layer that get adapters. Both together did better than either (Biderman et al. 2024, §4.6)."""
    learning_rate_times: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 10.0
    """What the learning rate of all weights is multiplied by for adapters, unless `training.learning_rate` is given.
    About 10 was best in Schulman et al. 2025 (LoRA Without Regret) and for instructions in Biderman et al. 2024,
    appendix B, where longer continued pre-training showed less of a difference."""

    @field_validator("targets")
    @classmethod
    def _named_once(cls, value: list[Target]) -> list[Target]:
        if len(set(value)) < len(value):
            raise SixndError("a target is named twice", "name each once")
        return value


class PlannedLora(Document):
    """Adapters of a run; all other weights stand still."""

    rank: Annotated[int, Field(ge=1)]
    """Rank of each update."""
    alpha: Annotated[float, Field(gt=0)]
    """The update is alpha / rank · B · A."""
    targets: Annotated[list[Target], Field(min_length=1)]
    """Matrices that get adapters."""
    params: Annotated[int, Field(ge=1)]
    """Parameters of all adapters: those that are trained, exact."""

    @property
    def scale(self) -> float:
        """What B · A is multiplied by."""
        return self.alpha / self.rank


def convention_flops(params: float, learning: float | None) -> float:
    """FLOPs of training on a token as C = 6ND counts them, 6N; where only n of further parameters learn, 4N + 6n.

    A matrix that stands still is multiplied by forward and backward once each, 2N FLOPs a pass, and has no gradient.
    """
    return 6.0 * params if learning is None else 4.0 * params + 6.0 * learning
