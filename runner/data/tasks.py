"""The tasks that preparing data consists of, each one able to run in any process, on any machine with the folder.

A task writes its output in one step and does nothing where that is there already: so one that was killed is run again,
one that was finished is not, and it does not matter which process runs which.

    python -m sixnd.runner.data.tasks FOLDER STEP TASK
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.document import Document
from sixnd.runner.data.final_documents import input_documents
from sixnd.runner.data.findings import Remover
from sixnd.runner.data.pipeline import Pipeline
from sixnd.runner.data.shards import SUFFIX, read_shard, shard_writer
from sixnd.runner.data.stages import corpus_stage, document_stage
from sixnd.runner.data.token_shards import account_path, tokens_folder, write_tokens
from sixnd.runner.data.work import Segment, Step, Work, WorkSource, read_work, shard_path, step_name
from sixnd.specs.errors import SixndError
from sixnd.specs.files import write_atomically


def run_task(folder: Path, step: str, task: int, workers: int = 1) -> None:
    """Do one task of a step; ``workers`` processes may help where a task stands alone.

    Raises ``SixndError`` where an input cannot be taken and ``OSError`` where the disk is full; what other tasks wrote
    stays.
    """
    work = read_work(folder)
    name = step_name(step)
    match name.kind:
        case "clean":
            _clean(folder, work, work.segment_in(name.what), task)
        case "find":
            _find(folder, work, name.what, workers)
        case "tokens":
            write_tokens(folder, work, name.source, folder / name.part, task)
        case _:
            raise SixndError(f"there is no step '{step}'", "name one that the folder's plan of work has")


def marks(folder: Path, step: Step) -> list[Path]:
    """For each task of a step the file that it writes last: where that is, the task is done."""
    work = read_work(folder)
    name = step_name(step.name)
    tasks = range(step.first, step.first + step.tasks)
    if name.kind == "clean":
        return [_cleaned(folder, work.segment_in(name.what), task) for task in tasks]
    if name.kind == "find":
        return [_found(folder, work, name.what)]
    into = folder / tokens_folder(work, name.source, folder / name.part)
    return [account_path(into, task) for task in tasks]


def _cleaned(folder: Path, segment: Segment, shard: int) -> Path:
    return _base(folder, segment, shard, ".json")


def _found(folder: Path, work: Work, name: str) -> Path:
    first = next(segment for segment in work.segments if segment.found_with == name)
    return folder / first.folder / f"{name.rpartition('/')[2]}.done"


def _clean(folder: Path, work: Work, segment: Segment, shard: int) -> None:
    done = _cleaned(folder, segment, shard)
    if done.is_file():
        return
    (folder / segment.folder).mkdir(parents=True, exist_ok=True)
    base_dir, damage, source = Path(work.base_dir), DamageLog(), work.source(segment.source)
    remover = _remover(folder, work, segment, shard)
    pipeline = Pipeline([*([remover] if remover else []), *(document_stage(one, base_dir) for one in segment.stages)])
    found = pipeline.documents(_before(folder, work, segment, source, shard, damage))
    if segment.signs is not None:
        found = corpus_stage(segment.signs, base_dir).signed(found, _base(folder, segment, shard, ".signed"))
    with shard_writer(_base(folder, segment, shard, SUFFIX)) as write:
        for document in found:
            write(document)
        if remover is not None:
            remover.finish()
    write_atomically(done, pipeline.result(segment.source, damage).model_dump_json(indent=1))


def _before(
    folder: Path, work: Work, segment: Segment, source: WorkSource, shard: int, damage: DamageLog
) -> Iterator[Document]:
    """Documents that come into a segment."""
    if segment.before is None:
        return input_documents(folder, work, source, shard, damage)
    return read_shard(_base(folder, work.segment_in(segment.before), shard, SUFFIX))


def _remover(folder: Path, work: Work, segment: Segment, shard: int) -> Remover | None:
    """What takes out of a shard what the corpus stage before this segment found in it."""
    if segment.removes is None:
        return None
    assert segment.before is not None
    found = _base(folder, work.segment_in(segment.before), shard, ".found")
    return corpus_stage(segment.removes, Path(work.base_dir)).remover(found)


def _find(folder: Path, work: Work, name: str, workers: int) -> None:
    segments = [segment for segment in work.segments if segment.found_with == name]
    shards = [(segment, shard) for segment in segments for shard in range(segment.shards)]
    done = _found(folder, work, name)
    if done.is_file():
        return
    settings = segments[0].signs
    assert settings is not None
    signed, found = ([_base(folder, *shard, suffix) for shard in shards] for suffix in (".signed", ".found"))
    stage = corpus_stage(settings, Path(work.base_dir))
    stage.find(signed, found, scratch=folder / segments[0].folder, workers=workers)
    write_atomically(done, "")
    for path in signed:  # as large as the text, and of no more use
        path.unlink(missing_ok=True)


def _base(folder: Path, segment: Segment, shard: int, suffix: str) -> Path:
    return shard_path(folder / segment.folder, shard, suffix)


if __name__ == "__main__":
    run_task(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
