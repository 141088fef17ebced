"""Text that a tokenizer is trained on or judged by: a spec's sources, or files named on the command line."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sixnd.runner.cache import cache_dir
from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.document import Document
from sixnd.runner.data.final_documents import final_documents
from sixnd.runner.data.inputs import documents_of, listed
from sixnd.runner.data.work import read_work
from sixnd.specs.plan import Plan, PlannedSource


@dataclass(frozen=True)
class TextSource:
    """A source, where its path starts from, and what could not be read of it."""

    planned: PlannedSource
    base_dir: Path
    damage: DamageLog = field(default_factory=DamageLog)
    cleaned: Path | None = None
    """Working folder in which its documents went through all stages; none where they are read as they came."""

    @property
    def name(self) -> str:
        """Of the source in the spec, or as the command line named it."""
        return self.planned.name

    def documents(self) -> Iterator[Document]:
        """Its documents in fair order; raises ``SixndError`` where no file is found."""
        if self.cleaned is not None:
            return self._after_stages(self.cleaned)
        items = listed(self.planned, self.base_dir, cache_dir(), self.damage)
        return documents_of(items, self.planned, self.base_dir, cache_dir(), self.damage)

    def _after_stages(self, folder: Path) -> Iterator[Document]:
        work = read_work(folder)
        source = work.source(self.name)
        for shard in range(source.shards):
            yield from final_documents(folder, work, source, shard, self.damage)

    def bytes(self) -> int:
        """Of all its files, before any stage."""
        return sum(item.bytes for item in listed(self.planned, self.base_dir, cache_dir(), DamageLog()))


def of_plan(plan: Plan, base_dir: Path) -> list[TextSource]:
    """The sources of a plan, as its prepared data left them, else as they come, relative to ``base_dir``."""
    prepared = plan.spec.data.prepared
    cleaned = None if prepared is None else Path(prepared.folder)
    return [TextSource(source, base_dir, cleaned=cleaned) for source in plan.data.sources]


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
