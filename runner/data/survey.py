"""What stands in a working folder of prepared data: the account of every source, and its cleaned documents."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sixnd.runner.data.accounts import account_of
from sixnd.runner.data.census import Census
from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.document import Document
from sixnd.runner.data.final_documents import final_documents
from sixnd.runner.data.token_shards import TokenAccount, account_path, token_account
from sixnd.runner.data.work import Work, WorkSource, shard_path
from sixnd.specs.data_result import StagesResult
from sixnd.specs.errors import SixndError


@dataclass(frozen=True)
class Surveyed:
    """One source as far as it is prepared."""

    name: str
    stages: StagesResult
    held: TokenAccount
    """Documents that are left; its tokens are 0 where none were made yet."""
    shards: int
    """Shards that are prepared to the end, of ``of_shards``."""
    of_shards: int
    own_stages: int
    """So many stages are the source's own; those after them ran over all sources together."""


def survey(folder: Path, work: Work) -> list[Surveyed]:
    """Every source of which something is prepared to its end.

    Raises ``SixndError`` where there is none.
    """
    begun = [(source, whole_shards(folder, work, source)) for source in work.sources]
    found = [_surveyed(folder, work, source, shards) for source, shards in begun if shards]
    if not found:
        raise SixndError(f"{folder}: no shard of any source is prepared to its end", "run `sixnd data prepare` first")
    return found


def whole_shards(folder: Path, work: Work, source: WorkSource) -> int:
    """How many of a source's first shards went through all of its stages."""
    own = work.segments_of(source.source.name)
    if not own:
        return source.shards
    last = folder / own[-1].folder
    return next((i for i in range(source.shards) if not shard_path(last, i, ".json").is_file()), source.shards)


def documents_left(folder: Path, work: Work, source: WorkSource) -> Iterator[Document]:
    """Cleaned documents of a source, in order, as far as it is prepared."""
    for shard in range(whole_shards(folder, work, source)):
        yield from final_documents(folder, work, source, shard, DamageLog())


def _surveyed(folder: Path, work: Work, source: WorkSource, shards: int) -> Surveyed:
    stages = account_of(folder, work, source, shards)
    left = stages.stages[-1].documents_out if stages.stages else None
    return Surveyed(
        name=source.source.name,
        stages=stages,
        held=_tokenised(folder, source, shards, left) or _counted(documents_left(folder, work, source)),
        shards=shards,
        of_shards=source.shards,
        own_stages=len(source.source.stages),
    )


def _tokenised(folder: Path, source: WorkSource, shards: int, left: int | None) -> TokenAccount | None:
    """What the newest whole set of tokens holds; none where these documents were not tokenised yet."""
    folders = sorted((folder / source.source.name).glob("tokens-*"), key=lambda path: path.stat().st_mtime_ns)
    for tokens in reversed(folders):
        if not all(account_path(tokens, shard).is_file() for shard in range(shards)):
            continue
        found = TokenAccount.together([token_account(tokens, shard) for shard in range(shards)])
        if left in (None, found.documents):  # else it is of earlier settings
            return found
    return None


def _counted(documents: Iterable[Document]) -> TokenAccount:
    """The same from the documents themselves, without tokens."""
    census = Census()
    for _ in census.counted(documents):
        pass
    return TokenAccount.of(census)
