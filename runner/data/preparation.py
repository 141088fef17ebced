"""Sources of a plan → cleaned, tokenised shards: all of them, or as many as a run reads.

A source that no corpus stage sees (deduplication must read everything) is prepared only as far as it is needed: its
inputs come in a fair order, so the first shards are a sample of the whole.
"""

import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sixnd.runner.cores import cores
from sixnd.runner.data.accounts import account_of, damage_together
from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.document import utf8_bytes
from sixnd.runner.data.final_documents import final_documents
from sixnd.runner.data.inputs import listed
from sixnd.runner.data.token_shards import TokenAccount, shard_prefix, token_account, tokens_folder
from sixnd.runner.data.work import Step, Work, WorkSource, begin_work, steps
from sixnd.runner.lock import exclusive
from sixnd.runner.tokenizers.file import load_tokenizer, write_tokenizer
from sixnd.runner.tokenizers.training import train
from sixnd.specs.data_result import DamageFound, StagesResult
from sixnd.specs.document import sha256_of
from sixnd.specs.errors import SixndError
from sixnd.specs.files import file_sha256, remove_unfinished, replaced_atomically
from sixnd.specs.plan import PlannedData

_TOKENIZER_TEXT_BYTES = 8_000_000
_SPARE = 1.1  # of shards ahead of an estimate from those before, so that mostly one round is enough

Run = Callable[[Path, Step], None]
"""Does all tasks of a step: on this machine, or on many."""
Say = Callable[[str], None]
Missing = Callable[[str, Sequence[Path]], float]
"""Given a source's name and its first shards of tokens: how many tokens are still missing, 0 where they suffice."""


@dataclass(frozen=True)
class PreparedSource:
    """Tokens of one source, shard by shard, and what became of its documents."""

    name: str
    prefixes: list[Path]
    """Of Megatron's indexed files, in the order of the corpus."""
    tokens: TokenAccount
    stages: StagesResult

    @property
    def damage(self) -> list[DamageFound]:
        """What could not be read."""
        return damage_together([self.stages.damage, self.tokens.damage])


@dataclass(frozen=True)
class PreparedTokens:
    """Tokens of all sources."""

    tokenizer: Path
    sources: list[PreparedSource]


@dataclass
class Preparation:
    """One preparation in its working folder; what is there already is taken."""

    folder: Path
    data: PlannedData
    base_dir: Path
    cache_dir: Path
    run: Run
    say: Say
    missing: Missing | None = None
    """Tells when there is enough of a source; without it all sources are prepared whole."""

    def prepared(self, vocab_size: int) -> PreparedTokens:
        """Clean and tokenise; the tokenizer is trained on the way where the plan names none."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with exclusive(self.folder / "lock", f"{self.folder} is being prepared by another process", "wait for it"):
            work = self._begun()
            for step in steps(work, without=self._partial(work)):
                self._run(step)
            tokenizer = self._tokenizer(work, vocab_size)
            sources = [self._tokenised(work, source, tokenizer) for source in work.sources]
            # only now is no task at work, not even one that a killed command left to Slurm
            remove_unfinished(self.folder)
        return PreparedTokens(tokenizer, sources)

    def _begun(self) -> Work:
        found = []
        for source in self.data.sources:
            damage = DamageLog()
            found.append((listed(source, self.base_dir, self.cache_dir, damage), damage.found()))
        return begin_work(self.data, found, self.base_dir, self.cache_dir, self.folder)

    def _partial(self, work: Work) -> set[str]:
        """Sources of which only a part is needed, and a part can be had."""
        if self.missing is None:
            return set()
        whole = {segment.source for segment in work.segments if segment.signs is not None}
        return {source.source.name for source in work.sources} - whole

    def _run(self, step: Step) -> None:
        if step.tasks:
            self.run(self.folder, step)

    def _cleaned(self, work: Work, source: WorkSource, first: int, count: int) -> None:
        """See to it that some shards of a source are cleaned."""
        if source.source.name in self._partial(work):
            for segment in work.segments_of(source.source.name):
                self._run(Step(f"clean:{segment.folder}", count, first))

    def _tokenizer(self, work: Work, vocab_size: int) -> Path:
        if self.data.tokenizer.file is not None:
            return self._given_tokenizer(self.base_dir / self.data.tokenizer.file, vocab_size)
        kind, shares = self.data.tokenizer.kind, self.data.tokenizer_shares
        decides = [kind, vocab_size, *((name, share, work.final_digest(name)) for name, share in shares.items())]
        path = self.folder / f"tokenizer-{sha256_of(decides)[:12]}.tok"
        if not path.is_file():
            self.say(f"training a {kind} tokenizer of {vocab_size:,} entries on the run's own text")
            write_tokenizer(path, kind, train(kind, self._sample(work, shares), vocab_size, cores()))
        return path

    def _given_tokenizer(self, path: Path, vocab_size: int) -> Path:
        entries = load_tokenizer(path).vocab_size
        if entries != vocab_size:
            raise SixndError(
                f"{path} has {entries:,} entries and the plan {vocab_size:,}", f"set model.vocab_size to {entries}"
            )
        copy = self.folder / f"tokenizer-{file_sha256(path)[:12]}.tok"
        with replaced_atomically(copy) as temporary:
            shutil.copyfile(path, temporary)
        return copy

    def _sample(self, work: Work, shares: dict[str, float]) -> Iterator[str]:
        """Text of each source in proportion to its share."""
        for source in work.sources:
            yield from _first_bytes(self._texts(work, source), shares[source.source.name] * _TOKENIZER_TEXT_BYTES)

    def _texts(self, work: Work, source: WorkSource) -> Iterator[str]:
        at_once = cores()
        for shard in range(source.shards):
            if shard % at_once == 0:
                self._cleaned(work, source, shard, min(at_once, source.shards - shard))
            for document in final_documents(self.folder, work, source, shard, DamageLog()):
                yield document.text

    def _tokenised(self, work: Work, source: WorkSource, tokenizer: Path) -> PreparedSource:
        name = source.source.name
        folder = self.folder / tokens_folder(work, name, tokenizer)
        self.say(f"tokenising {name}")
        prefixes: list[Path] = []
        done: list[TokenAccount] = []
        while count := self._next_count(source, done, prefixes):
            first = len(done)
            self._cleaned(work, source, first, count)
            self._run(Step(f"tokens:{name}/{tokenizer.name}", count, first))
            done += [token_account(folder, shard) for shard in range(first, first + count)]
            prefixes += [shard_prefix(folder, shard) for shard in range(first, first + count)]
        cleaned = len(done) if name in self._partial(work) else source.shards
        tokens = TokenAccount.together(done)
        if tokens.note:
            self.say(f"note: {tokens.note}")
        return PreparedSource(
            name=name,
            prefixes=prefixes,
            tokens=tokens,
            stages=account_of(self.folder, work, source, cleaned),
        )

    def _next_count(self, source: WorkSource, done: list[TokenAccount], prefixes: list[Path]) -> int:
        """How many more shards are tokenised at once; none where there is enough or nothing is left."""
        left = source.shards - len(done)
        if self.missing is None or not left:
            return left
        missing, tokens = self.missing(source.source.name, prefixes), sum(part.tokens for part in done)
        if missing <= 0:
            return 0
        if not tokens:
            return min(left, max(1, len(done)))
        return max(1, min(left, math.ceil(missing / tokens * len(done) * _SPARE)))


def _first_bytes(texts: Iterator[str], limit: float) -> Iterator[str]:
    """Texts until ``limit`` bytes are reached, the last one cut, so that one long document is not all there is."""
    left = int(limit)
    for text in texts:
        part = text[: max(left, 1)]
        yield part
        left -= utf8_bytes(part)
        if left <= 0:
            return
