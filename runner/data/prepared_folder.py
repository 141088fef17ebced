"""A folder of data prepared whole: what is written down of it, and its tokens taken back, checked."""

from pathlib import Path

from sixnd import __version__
from sixnd.runner.data.accounts import account_of
from sixnd.runner.data.preparation import PreparedSource, PreparedTokens
from sixnd.runner.data.token_shards import TokenAccount, shard_prefix, token_account, tokens_folder
from sixnd.runner.data.work import Work, read_work
from sixnd.runner.indexed import verified
from sixnd.runner.tokenizers.file import load_tokenizer
from sixnd.specs import prepared
from sixnd.specs.errors import InvalidDataError
from sixnd.specs.files import file_sha256
from sixnd.specs.plan import PlannedData
from sixnd.specs.prepared_checks import sources_settings_sha256

DOCUMENT = "prepared.yaml"
"""Name of the document in the folder."""


def written_down(folder: Path, name: str, data: PlannedData, tokens: PreparedTokens) -> prepared.PreparedData:
    """What preparing ``data`` in ``folder`` measured, as the document that a spec names."""
    model = load_tokenizer(tokens.tokenizer)
    settings = sources_settings_sha256(data.sources, data.across)
    return prepared.PreparedData(
        sixnd_version=__version__,
        name=name,
        folder=str(folder.resolve()),
        tokenizer_kind=model.kind,
        tokenizer_sha256=file_sha256(tokens.tokenizer),
        vocab_size=model.vocab_size,
        sources=[
            prepared.PreparedSource(
                name=source.name,
                settings_sha256=settings[source.name],
                documents=source.tokens.documents,
                bytes=source.tokens.bytes,
                tokens=source.tokens.tokens,
                licences=source.tokens.licences,
                languages=source.tokens.languages,
            )
            for source in tokens.sources
        ],
    )


def prepared_in(document: prepared.PreparedData) -> PreparedTokens:
    """The tokens that a document tells of.

    Raises ``InvalidDataError`` where they were moved, changed or prepared anew since.
    """
    folder = Path(document.folder)
    work = read_work(folder)
    tokenizer = _tokenizer(folder, document)
    return PreparedTokens(tokenizer, [_source(folder, work, tokenizer, s) for s in document.sources])


def _tokenizer(folder: Path, document: prepared.PreparedData) -> Path:
    for path in sorted(folder.glob("tokenizer-*.tok")):
        if file_sha256(path) == document.tokenizer_sha256:
            return path
    raise InvalidDataError(f"{folder} no longer has the tokenizer that its data was prepared with", "prepare it again")


def _source(folder: Path, work: Work, tokenizer: Path, told: prepared.PreparedSource) -> PreparedSource:
    source, where = work.source(told.name), folder / tokens_folder(work, told.name, tokenizer)
    try:
        tokens = TokenAccount.together([token_account(where, shard) for shard in range(source.shards)])
    except OSError as error:
        raise InvalidDataError(f"{where} is not whole ({error.strerror})", "run `sixnd data prepare` again") from error
    if (tokens.documents, tokens.tokens) != (told.documents, told.tokens):
        raise InvalidDataError(
            f"{where} holds {tokens.tokens:,} tokens and was {told.tokens:,} when the spec's data was prepared: it was "
            "prepared anew since",
            "plan the spec again",
        )
    prefixes = [shard_prefix(where, shard) for shard in range(source.shards)]
    for prefix in prefixes:
        verified(prefix)
    return PreparedSource(told.name, prefixes, tokens, account_of(folder, work, source, source.shards))
