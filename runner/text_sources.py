"""Text that a tokenizer is trained on or judged by: a spec's sources, or files named on the command line."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sixnd.runner.cache import cache_dir
from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.document import Document
from sixnd.runner.data.inputs import documents_of, listed
from sixnd.specs.plan import Plan, PlannedSource


@dataclass(frozen=True)
class TextSource:
    """A source, where its path starts from, and what could not be read of it."""

    planned: PlannedSource
    base_dir: Path
    damage: DamageLog = field(default_factory=DamageLog)

    @property
    def name(self) -> str:
        """Of the source in the spec, or as the command line named it."""
        return self.planned.name

    def documents(self) -> Iterator[Document]:
        """Its documents in fair order; raises ``SixndError`` where no file is found."""
        items = listed(self.planned, self.base_dir, cache_dir(), self.damage)
        return documents_of(items, self.planned, self.base_dir, cache_dir(), self.damage)

    def bytes(self) -> int:
        """Of all its files."""
        return sum(item.bytes for item in listed(self.planned, self.base_dir, cache_dir(), DamageLog()))


def of_plan(plan: Plan, base_dir: Path) -> list[TextSource]:
    """The sources of a plan; their paths are relative to ``base_dir``."""
    return [TextSource(source, base_dir) for source in plan.data.sources]


def of_pattern(name: str, pattern: str, text_field: str = "text") -> TextSource:
    """A file, folder or glob, relative to the folder we are in."""
    planned = PlannedSource(
        name=name,
        recipe=None,
        path=pattern,
        weight=1,
        tokens=0,
        unique_tokens=None,
        epochs=None,
        text_field=text_field,
        stages=[],
    )
    return TextSource(planned, Path())
