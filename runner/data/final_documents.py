"""Documents of a source after its last stage: from the shards where stages wrote some, else from the inputs."""

from collections.abc import Iterator
from pathlib import Path

from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.document import Document
from sixnd.runner.data.inputs import documents_of
from sixnd.runner.data.shards import SUFFIX, read_shard
from sixnd.runner.data.work import Work, WorkSource, items_of, shard_path


def input_documents(folder: Path, work: Work, source: WorkSource, shard: int, damage: DamageLog) -> Iterator[Document]:
    """Documents of one shard as they are read."""
    items = items_of(folder, source, shard)
    return documents_of(items, source.source, Path(work.base_dir), Path(work.cache_dir), damage)


def final_documents(folder: Path, work: Work, source: WorkSource, shard: int, damage: DamageLog) -> Iterator[Document]:
    """Documents of one shard after the last stage; of a source without stages, what is damaged is noted on the way."""
    segments = work.segments_of(source.source.name)
    if segments:
        return read_shard(shard_path(folder / segments[-1].folder, shard, SUFFIX))
    return input_documents(folder, work, source, shard, damage)
