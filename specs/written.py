"""What a budget spec's file may say beside the budget spec: gone once the file is read."""

from pydantic import Field

from sixnd.specs.document import Document


class Written(Document):
    """What stands for other values in a spec's file."""

    extends: str | None = None
    """A spec that this one is laid over: a file relative to this one (`team.yaml`), or an example that comes with sixnd
    by its name (`quickstart`). Mappings are laid over key by key, lists and values whole; `null` takes a key back to
    its default. `sixnd show` tells where each value comes from."""
    environment: dict[str, str | float | bool | None] = Field(default_factory=dict)
    """Environment variables that this spec may name as `${NAME}`, with their defaults; `null` for those that must be
    set. No others are looked at."""
