"""Continual pre-training: what a spec says of the model that training starts from, and what a plan holds of it."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from sixnd.specs.document import Document, Name
from sixnd.specs.errors import SixndError
from sixnd.specs.lora import Lora, PlannedLora

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _read_percentage(value: Any) -> Any:
    """`5%` as 0.05; anything else as it is."""
    if not (isinstance(value, str) and value.strip().endswith("%")):
        return value
    try:
        return float(value.strip()[:-1]) / 100
    except ValueError as error:
        raise SixndError(f"{value!r} is no share", "write one like `5%` or `0.05`") from error


Percentage = Annotated[
    float,
    Field(ge=0, lt=1),
    BeforeValidator(_read_percentage),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
                {"type": "string", "pattern": r"^\s*[0-9]{1,2}(\.[0-9]*)?\s*%$"},
            ],
            "examples": ["5%"],
        }
    ),
]
"""A share below 1, written as a number or in per cent."""


class OriginSource(Document):
    """A source that a run of ours was trained on, and its tokens in that run's folder."""

    name: Name
    """As the run names it."""
    weight: Annotated[float, Field(gt=0, le=1)]
    """Share of the base's training tokens."""
    tokens: Count
    """Of its training files."""
    train_prefix: str
    """Prefix of its training files, relative to the run's folder; it ends with a digest of their content."""
    validation_prefix: str
    """The same of what the run held out."""


class Origin(Document):
    """What a base says of itself."""

    kind: Literal["run", "llama"]
    """A run of ours, or a folder as Hugging Face's libraries read a Llama."""
    name: str
    """Of the run with its fingerprint, or of the folder."""
    step: Count | None = None
    """Of a run: the step whose checkpoint it is."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of the weights: of a checkpoint's manifest, which holds that of every file; or of all files of safetensors."""
    peak_learning_rate: Rate | None = None
    """It was trained at; not known of a folder."""
    final_learning_rate: Rate | None = None
    """It ended at; not known of a folder, nor of a checkpoint before the last."""
    sources: list[OriginSource] = Field(default_factory=list)
    """Of a run: what it was trained on."""


class Continual(Document):
    """Training that starts from a trained model. Sizes, vocabulary and tokenizer are the base's."""

    base: str
    """What to start from, relative to the spec: a run folder (`runs/prose/ab12cd34`, or `runs/prose` where it holds one
    run; its newest checkpoint is taken), a checkpoint in it, or the folder of a Llama with `config.json` and
    safetensors."""
    replay: Percentage = 0.05
    """Share of the training tokens that is drawn from general text, of the kind the base was trained on, against
    forgetting, e.g. `5%`. 1 to 5 % do for a weak shift, about 25 % for a strong one (Ibrahim et al. 2024,
    arXiv:2403.08763)."""
    general: list[Name] | None = None
    """Which of `data.sources` are the general text. Of a run of ours, leave it out: what it was trained on is taken
    from its folder. With `replay: 0%` they are measured and not trained on."""
    rewarm: Annotated[float, Field(gt=0, le=2)] | Literal["none"] = 0.5
    """Peak learning rate as a share of the base's own, warmed up to and decayed from again (Gupta et al. 2023,
    arXiv:2308.04014; Ibrahim et al. 2024). `none` warms nothing up: training starts at the rate the base ended at and
    decays from there (Parmar et al. 2024, arXiv:2407.07263), which forgets less and learns less."""
    peak_learning_rate: Rate | None = None
    """The base's own peak, where it is a folder that does not say it."""
    final_learning_rate: Rate | None = None
    """The learning rate the base ended at, where its folder does not say it; `rewarm: none` needs it."""
    lora: Lora | None = None
    """Train low-rank adapters alone, e.g. `{rank: 64}`, or `{}` for their defaults. By default all weights learn."""
    origin: Origin | None = None
    """What the base says of itself, filled in when the spec is read; leave it out."""


class GeneralSource(Document):
    """A source of the plan's data that stands for what the base knows."""

    name: Name
    """Name of the source of general text."""
    train_prefix: str | None = None
    """Its tokens in the base's folder; none where they are prepared from text, as those of other sources."""
    validation_prefix: str | None = None
    """What the base held out of it, in the same folder."""


class PlannedContinual(Document):
    """What training starts from, and what is replayed."""

    base: str
    """Where it is, relative to the spec."""
    name: str
    """What it is called."""
    kind: Literal["run", "llama"]
    """A run of ours, or a Llama's folder."""
    step: Count | None
    """Of a run: the step whose checkpoint is taken."""
    sha256: str
    """Of the weights, which are trusted only if they are the same."""
    replay: Annotated[float, Field(ge=0, lt=1)]
    """Share of the training tokens from general sources."""
    general: list[GeneralSource]
    """Whose held-out text tells what is forgotten."""
    lora: PlannedLora | None = None
    """What learns; none where all weights do."""


WHERE_IT_LIES = {"base", "name"}
"""What a plan says of its base that changes nothing of the model."""
