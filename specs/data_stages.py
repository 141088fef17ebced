"""What a spec says of a source's preparation: a profile's name, or stages in order with what differs in them."""

from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError, field_validator

from sixnd.specs import catalog
from sixnd.specs.document import Document
from sixnd.specs.errors import SixndError
from sixnd.specs.mistakes import mistake
from sixnd.specs.text_filters import CorpusStageSettings, Decontaminate, Perplexity, StageSettings

_SETTINGS: TypeAdapter[StageSettings] = TypeAdapter(StageSettings)


class StageChoice(Document):
    """A filter of the catalog with settings of your own."""

    filter: str
    """A name of `sixnd catalog text-filters`."""
    change: dict[str, Any] = Field(default_factory=dict)
    """Settings that differ from the catalog's, e.g. `{min_words: 20}`."""

    @field_validator("filter")
    @classmethod
    def _known_filter(cls, value: str) -> str:
        return catalog.checked_name("text-filters", value)


Stages = str | Annotated[list[str | StageChoice], Field(min_length=1)]
"""A profile's name (`sixnd catalog text-profiles`), or filters in order."""


def resolved(stages: Stages) -> list[StageSettings]:
    """Complete settings of every stage; raises ``SixndError`` for names and settings that do not exist."""
    if isinstance(stages, str):
        return [catalog.text_filter(name).settings for name in catalog.text_profile(stages).stages]
    choices = [StageChoice(filter=stage) if isinstance(stage, str) else stage for stage in stages]
    return [_with_changes(choice) for choice in choices]


def checked(stages: Stages | None) -> Stages | None:
    """The same stages if they can be resolved and have the files they need; else ``SixndError``."""
    for settings in resolved(stages) if stages is not None else []:
        if isinstance(settings, Decontaminate) and not settings.evaluation:
            raise SixndError("'decontaminate' needs the evaluation sets", "say change: {evaluation: [FILES]}")
        if isinstance(settings, Perplexity) and not settings.model:
            raise SixndError("'perplexity' needs a model of your own", "say change: {model: FILE}")
    return stages


def checked_across(stages: Stages | None) -> Stages | None:
    """The same stages if they can be resolved and each sees the whole corpus; else ``SixndError``."""
    checked(stages)
    for settings in resolved(stages) if stages is not None else []:
        if not isinstance(settings, CorpusStageSettings):
            raise SixndError(
                f"'{settings.stage}' looks at one document at a time",
                "name it in the sources' own `stages`; across sources there are exact-dedup, near-dedup, "
                "substring-dedup and decontaminate",
            )
    return stages


def _with_changes(choice: StageChoice) -> StageSettings:
    published = catalog.text_filter(choice.filter).settings
    unknown = sorted(set(choice.change) - set(type(published).model_fields) | ({"stage"} & set(choice.change)))
    if unknown:
        known = ", ".join(name for name in type(published).model_fields if name != "stage")
        raise SixndError(f"'{choice.filter}' has no setting '{unknown[0]}'", f"it has {known}")
    try:
        return _SETTINGS.validate_python(published.plain() | choice.change)
    except ValidationError as error:
        first = error.errors()[0]
        what, do = mistake(first, first["loc"][1:])
        raise SixndError(f"'{choice.filter}': {what}", do) from error
