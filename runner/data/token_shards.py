"""Cleaned documents → token ids, one pair of Megatron's indexed files a shard, with an account of what is in it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from sixnd.runner.data.accounts import damage_together, summed
from sixnd.runner.data.census import Census
from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.final_documents import final_documents
from sixnd.runner.data.work import Work, shard_path
from sixnd.runner.indexed import indexed_writer, token_dtype, verified
from sixnd.runner.tokenizers.encode import batches, encode_documents
from sixnd.runner.tokenizers.file import load_tokenizer
from sixnd.specs.data_result import DamageFound
from sixnd.specs.document import Document, sha256_of
from sixnd.specs.errors import InvalidDataError
from sixnd.specs.files import file_sha256, write_atomically

_ACCOUNT = ".account.json"


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
    def of(cls, census: Census, *, tokens: int = 0) -> "TokenAccount":
        """Of documents that were counted."""
        return cls(
            documents=census.documents,
            bytes=census.bytes,
            tokens=tokens,
            licences=dict(sorted(census.licences.items())),
            languages=dict(sorted(census.languages.items())),
        )

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
    model, census, damage = load_tokenizer(tokenizer), Census(), DamageLog()
    found = census.counted(final_documents(folder, work, work.source(name), shard, damage))
    with indexed_writer(shard_prefix(into, shard), token_dtype(model.vocab_size)) as writer:
        for texts in batches(document.text for document in found):
            writer.add(encode_documents(model, texts))
    account = TokenAccount.of(census, tokens=int(writer.lengths().sum(dtype=np.int64)))
    account = account.model_copy(update={"damage": damage.found(), "note": model.note})
    write_atomically(done, account.model_dump_json(indent=1))


def token_account(folder: Path, shard: int) -> TokenAccount:
    """What is in one shard of a folder of tokens."""
    return TokenAccount.model_validate_json(account_path(folder, shard).read_bytes())


def account_path(folder: Path, shard: int) -> Path:
    """Where the account of a shard of tokens is, written last."""
    return shard_path(folder, shard, _ACCOUNT)


def forget_damaged(folder: Path) -> dict[str, str]:
    """Let every shard of tokens in ``folder`` and below that is not as it was written count as not done.

    Returns the shards by name, each with what is wrong. No other process may be at work there.
    """
    wrong = {}
    for account in folder.rglob(f"tokens-*/*{_ACCOUNT}"):
        try:
            verified(account.with_name(account.name.removesuffix(_ACCOUNT)))
        except InvalidDataError as error:
            wrong[str(account.relative_to(folder).parent)] = f"is damaged ({error})"
            account.unlink()
    return wrong


def shard_prefix(folder: Path, shard: int) -> Path:
    """Prefix of the indexed files of a shard of tokens."""
    return shard_path(folder, shard, "")
