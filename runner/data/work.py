"""What preparing data consists of: segments of stages over shards of sources, as plain data in a working folder.

    work.json                                     this plan of work
    <source>/items-<digest>.jsonl                 inputs, one shard a line
    <source>/<n>-<digest>/shard-00000.jsonl.zst   documents after segment n
                         shard-00000.json         their account, written last: with it the shard is done
                         shard-00000.signed       what the corpus stage after the segment needs to know of them
                         shard-00000.found        what that stage found
    <source>/tokens-<digest>/shard-00000.bin …    tokens

A corpus stage (deduplication, decontamination) must see all documents before it removes any, so stages are cut into
segments behind each one. A folder's name holds a digest of all that decides what is in it (inputs, settings, the
segments before), so that nothing stale is ever taken, and what did not change is not done again.
"""

import json
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sixnd.runner.data.inputs import Item
from sixnd.runner.data.stages import built
from sixnd.specs.data_result import DamageFound
from sixnd.specs.document import Document, sha256_of
from sixnd.specs.errors import InvalidDataError
from sixnd.specs.files import write_atomically
from sixnd.specs.plan import PlannedData, PlannedSource
from sixnd.specs.text_filters import CorpusStageSettings, DocumentStageSettings, StageSettings

_SHARD_BYTES = 8 << 20
_MOST_SHARDS = 1024
_FILE = "work.json"


class Segment(Document):
    """Document stages of one source between two corpus stages."""

    source: str
    folder: str
    """Its shards, relative to the working folder."""
    before: str | None
    """Folder of the segment before; none where it reads the inputs."""
    removes: CorpusStageSettings | None
    """The corpus stage whose findings are taken out first."""
    stages: list[DocumentStageSettings]
    signs: CorpusStageSettings | None
    """The corpus stage that its documents are signed for."""
    found_with: str | None
    """Segments that name the same are searched by that stage together."""
    shards: int


class WorkSource(Document):
    """A source with its inputs dealt to shards."""

    source: PlannedSource
    items: str
    """File of its inputs, one shard a line, relative to the working folder."""
    items_sha256: str
    shards: int
    damage: list[DamageFound]
    """What could not be listed."""


class Work(Document):
    """All that preparing one set of sources consists of."""

    version: Literal["data-work/1"] = "data-work/1"
    sixnd_version: str
    base_dir: str
    cache_dir: str
    sources: list[WorkSource]
    segments: list[Segment]
    """In the order they are done in."""

    def source(self, name: str) -> WorkSource:
        """The source of that name."""
        return next(one for one in self.sources if one.source.name == name)

    def segments_of(self, name: str) -> list[Segment]:
        """Segments of one source, in order; none where it is taken as it is."""
        return [segment for segment in self.segments if segment.source == name]

    def segment_in(self, folder: str) -> Segment:
        """The segment whose shards lie there."""
        return next(segment for segment in self.segments if segment.folder == folder)

    def final_digest(self, name: str) -> str:
        """Digest of all that decides a source's documents after its last stage."""
        own = self.segments_of(name)
        return own[-1].folder if own else self.source(name).items_sha256


@dataclass(frozen=True)
class Step:
    """``tasks`` tasks of one kind, numbered from ``first``; they do not depend on each other."""

    name: str
    tasks: int
    first: int = 0


class StepName(NamedTuple):
    """What a step's name says: ``clean:SOURCE/SEGMENT``, ``find:SOURCE/STAGE``, ``tokens:SOURCE/TOKENIZER``."""

    kind: str
    what: str
    """All behind the colon: of ``clean`` the segment's folder, of ``find`` what segments are found with."""
    source: str
    """Of a search over all sources a name that begins with ``across-``."""
    part: str
    """What is behind the source; empty where nothing is."""


def step_name(step: str) -> StepName:
    """A step's name taken apart."""
    kind, _, what = step.partition(":")
    source, _, part = what.partition("/")
    return StepName(kind, what, source, part)


def steps(work: Work, without: Container[str] = ()) -> Iterator[Step]:
    """Everything that cleans the documents, in order, of all sources but those named.

    What is done already costs nothing when it is run again.
    """
    for segment in work.segments:
        if segment.source in without:
            continue
        yield Step(f"clean:{segment.folder}", segment.shards)
        if segment.found_with and segment is _last_found_with(work, segment.found_with):
            yield Step(f"find:{segment.found_with}", 1)


def _last_found_with(work: Work, name: str) -> Segment:
    return [segment for segment in work.segments if segment.found_with == name][-1]


Listed = tuple[list[Item], list[DamageFound]]
"""Inputs of a source, and what could not be listed."""


def begin_work(data: PlannedData, listed: Sequence[Listed], base_dir: Path, cache_dir: Path, folder: Path) -> Work:
    """Write down how the sources are prepared; ``listed`` are their inputs, source by source.

    Builds every stage once, so that a missing package or file is told before hours are spent.
    """
    sources = [_dealt(source, *found, folder) for source, found in zip(data.sources, listed, strict=True)]
    work = Work(
        sixnd_version=_version(),
        base_dir=str(base_dir.resolve()),
        cache_dir=str(cache_dir.resolve()),
        sources=sources,
        segments=_segments(sources, data.across, base_dir),
    )
    write_atomically(folder / _FILE, work.model_dump_json(indent=1))
    return work


def read_work(folder: Path) -> Work:
    """The plan of work of a working folder; raises ``InvalidDataError`` where there is none."""
    try:
        return Work.model_validate_json((folder / _FILE).read_bytes())
    except FileNotFoundError as error:
        raise InvalidDataError(
            f"{folder} is no folder of prepared data: it has no {_FILE}", "name one that `sixnd data prepare` wrote"
        ) from error
    except ValueError as error:
        raise InvalidDataError(
            f"{folder / _FILE}: not a plan of work of this version ({error})", "prepare the data again"
        ) from error


def shard_path(folder: Path, shard: int, suffix: str) -> Path:
    """A file of one shard, in a segment's or tokens' folder."""
    return folder / f"shard-{shard:05d}{suffix}"


def items_of(folder: Path, source: WorkSource, shard: int) -> list[Item]:
    """Inputs of one shard."""
    with (folder / source.items).open("rb") as lines:
        for number, line in enumerate(lines):
            if number == shard:
                return [Item.model_validate(item) for item in json.loads(line)]
    raise InvalidDataError(f"{folder / source.items} has no shard {shard}", "prepare the data again")


def _version() -> str:
    from sixnd import __version__

    return __version__


def _dealt(source: PlannedSource, items: list[Item], damage: list[DamageFound], folder: Path) -> WorkSource:
    shards = list(_in_shards(items))
    lines = [json.dumps([item.plain() for item in shard], ensure_ascii=False) for shard in shards]
    digest = sha256_of([lines, [_changed_ns(Path(item.path)) for item in items]])
    path = f"{source.name}/items-{digest[:12]}.jsonl"
    (folder / source.name).mkdir(parents=True, exist_ok=True)
    write_atomically(folder / path, "".join(f"{line}\n" for line in lines))
    return WorkSource(source=source, items=path, items_sha256=digest, shards=len(shards), damage=damage)


def _changed_ns(path: Path) -> int:
    """When a file was last changed: with its size, how it is told that it is still the same."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _in_shards(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Inputs in runs of about 8 MiB, of more where there would be over a thousand; an input is never split."""
    most = max(_SHARD_BYTES, sum(item.bytes for item in items) // _MOST_SHARDS)
    shard: list[Item] = []
    size = 0
    for item in items:
        if shard and size + item.bytes > most:
            yield shard
            shard, size = [], 0
        shard.append(item)
        size += item.bytes
    if shard:
        yield shard


def _segments(sources: list[WorkSource], across: Sequence[CorpusStageSettings], base_dir: Path) -> list[Segment]:
    """Segments of every source up to its own last corpus stage, then round by round what goes across all sources."""
    heads = [_Head(source, base_dir) for source in sources]
    found = [segment for head in heads for segment in head.own_segments()]
    for number, stage in enumerate(across):
        digest = sha256_of([[head.digest, head.settings(stage)] for head in heads])[:12]
        found += [head.segment(stage, f"across-{number}-{digest}") for head in heads]
        for head in heads:
            head.digest = sha256_of([head.digest, digest])
    return found + [head.segment(None) for head in heads if head.is_unfinished]


def _parts(stages: list[StageSettings]) -> list[tuple[list[DocumentStageSettings], CorpusStageSettings | None]]:
    """Document stages, and the corpus stage behind them; the last part has none."""
    parts: list[tuple[list[DocumentStageSettings], CorpusStageSettings | None]] = []
    own: list[DocumentStageSettings] = []
    for stage in stages:
        if isinstance(stage, CorpusStageSettings):
            parts.append((own, stage))
            own = []
        else:
            own.append(stage)
    return [*parts, (own, None)]


class _Head:
    """How far the segments of one source have come."""

    def __init__(self, source: WorkSource, base_dir: Path) -> None:
        self._source, self._base_dir = source, base_dir
        self._number = 0
        self._before: str | None = None
        self._removes: CorpusStageSettings | None = None
        self._stages: list[DocumentStageSettings] = []
        inputs = source.source.model_dump(mode="json", include={"name", "recipe", "path", "text_field", "licence"})
        self.digest = sha256_of([inputs, source.items_sha256, _version()])

    @property
    def is_unfinished(self) -> bool:
        """Something is still to be done to the documents of the segment before."""
        return bool(self._stages or self._removes)

    def own_segments(self) -> Iterator[Segment]:
        """Segments of the source's own stages that end at a corpus stage."""
        for stages, ends in _parts(self._source.source.stages):
            self._stages = stages
            if ends is not None:
                yield self.segment(ends)

    def settings(self, signs: CorpusStageSettings | None) -> list[dict[str, Any]]:
        """All that decides what the next segment does, if it ends before ``signs``."""
        every = [*([self._removes] if self._removes else []), *self._stages, *([signs] if signs else [])]
        return [{"name": stage.name, "settings": stage.settings} for stage in built(every, self._base_dir)]

    def segment(self, signs: CorpusStageSettings | None, found_with: str | None = None) -> Segment:
        """The next segment, of the stages at hand, which ends before the corpus stage ``signs``."""
        # With all that is searched together: signatures go once they are searched, so another search needs them anew.
        self.digest = sha256_of([self.digest, self.settings(signs), len(self._stages), found_with or signs is not None])
        name = self._source.source.name
        folder = f"{name}/{self._number}-{self.digest[:12]}"
        made = Segment(
            source=name,
            folder=folder,
            before=self._before,
            removes=self._removes,
            stages=self._stages,
            signs=signs,
            found_with=None if signs is None else found_with or folder,
            shards=self._source.shards,
        )
        self._number, self._before, self._removes, self._stages = self._number + 1, folder, signs, []
        return made
