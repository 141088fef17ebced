"""Cleaned documents → token ids, one pair of Megatron's indexed files a shard, with an account of what is in it."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import Field

from sixnd.runner.data import document
from sixnd.runner.data.accounts import damage_together, summed
from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.final_documents import final_documents
from sixnd.runner.data.work import Work
from sixnd.runner.indexed import file_sha256, indexed_writer, token_dtype
from sixnd.runner.tokenizers.encode import Array, encode_documents
from sixnd.runner.tokenizers.file import load_tokenizer
from sixnd.specs.data_result import DamageFound
from sixnd.specs.document import Document, sha256_of
from sixnd.specs.files import write_atomically

_DOCUMENTS_AT_ONCE = 256
_CHARACTERS_AT_ONCE = 4 << 20


class TokenAccount(Document):
    """What one shard of tokens holds, or several together."""

    documents: int = 0
    bytes: int = 0
    """Of UTF-8."""
    tokens: int = 0
    """With one end-of-document mark each."""
    licences: dict[str, int] = Field(default_factory=dict)
    """Documents by licence."""
    languages: dict[str, int] = Field(default_factory=dict)
    """Documents by language, where one is stated or was identified."""
    damage: list[DamageFound] = Field(default_factory=list)
    """What could not be read, of a source that is taken as it is."""
    note: str | None = None
    """What a user must know of how it was encoded."""

    @classmethod
    def together(cls, parts: Sequence["TokenAccount"]) -> "TokenAccount":
        """The sum of several shards."""
        return cls(
            documents=sum(part.documents for part in parts),
            bytes=sum(part.bytes for part in parts),
            tokens=sum(part.tokens for part in parts),
            licences=summed(part.licences for part in parts),
            languages=summed(part.languages for part in parts),
            damage=damage_together(part.damage for part in parts),
            note=next((part.note for part in parts if part.note), None),
        )


def tokens_folder(work: Work, name: str, tokenizer: Path) -> str:
    """Where a source's tokens lie, relative to the working folder: by its documents and the tokenizer."""
    digest = sha256_of([work.final_digest(name), file_sha256(tokenizer)])
    return f"{name}/tokens-{digest[:12]}"


def write_tokens(folder: Path, work: Work, name: str, tokenizer: Path, shard: int) -> None:
    """Tokenise one shard, unless that is done."""
    into = folder / tokens_folder(work, name, tokenizer)
    done = account_path(into, shard)
    if done.is_file():
        return
    into.mkdir(parents=True, exist_ok=True)
    model, tally = load_tokenizer(tokenizer), _Tally()
    found = tally.counted(final_documents(folder, work, work.source(name), shard, tally.damage))
    with indexed_writer(into / f"shard-{shard:05d}", token_dtype(model.vocab_size)) as writer:
        for texts in _batches(found):
            writer.add(tally.tokens_of(encode_documents(model, texts)))
    write_atomically(done, tally.account(model.note).model_dump_json(indent=1))


def token_account(folder: Path, shard: int) -> TokenAccount:
    """What is in one shard of a folder of tokens."""
    return TokenAccount.model_validate_json(account_path(folder, shard).read_bytes())


def account_path(folder: Path, shard: int) -> Path:
    """Where the account of a shard of tokens is, written last."""
    return folder / f"shard-{shard:05d}.account.json"


class _Tally:
    """Counts on the way."""

    def __init__(self) -> None:
        self.damage = DamageLog()
        self._documents = self._bytes = self._tokens = 0
        self._licences: Counter[str] = Counter()
        self._languages: Counter[str] = Counter()

    def counted(self, documents: Iterator[document.Document]) -> Iterator[str]:
        for one in documents:
            self._documents += 1
            self._bytes += len(one.text.encode("utf-8", "surrogatepass"))
            self._licences[one.licence] += 1
            if one.language:
                self._languages[one.language] += 1
            yield one.text

    def tokens_of(self, documents: list[Array]) -> list[Array]:
        self._tokens += sum(map(len, documents))
        return documents

    def account(self, note: str | None) -> TokenAccount:
        return TokenAccount(
            documents=self._documents,
            bytes=self._bytes,
            tokens=self._tokens,
            licences=dict(sorted(self._licences.items())),
            languages=dict(sorted(self._languages.items())),
            damage=self.damage.found(),
            note=note,
        )


def _batches(texts: Iterator[str]) -> Iterator[list[str]]:
    """Texts in lists of bounded size; one long text may be a list of its own."""
    for first in texts:
        batch, size = [first], len(first)
        for text in itertools.islice(texts, _DOCUMENTS_AT_ONCE - 1):
            batch.append(text)
            size += len(text)
            if size > _CHARACTERS_AT_ONCE:
                break
        yield batch
