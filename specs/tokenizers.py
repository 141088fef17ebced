"""What a spec says of its tokenizer: a kind that is trained on the run's own text, or a file with one that is."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from sixnd.specs.document import Document
from sixnd.specs.errors import InvalidDataError, Problem, SixndError
from sixnd.specs.yaml_reader import Marked

TRAIN_ANEW = "train it anew with `sixnd tokenizer train`"
_LONGEST_HEADER = 1 << 12

TokenizerKind = Literal["byte-bpe", "sp-bpe", "sp-unigram", "wordpiece"]
"""Byte-level BPE; SentencePiece BPE or Unigram with byte fallback; WordPiece, which loses what stood between words."""


class TokenizerHeader(Document):
    """What a tokenizer file says of itself, in its first line."""

    version: Literal["tokenizer/1"] = "tokenizer/1"
    """Version of the file's format."""
    kind: TokenizerKind
    """What the data after the first line is."""
    vocab_size: Annotated[int, Field(ge=1)]
    """Entries, marks included."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of the data after the first line."""


class TokenizerChoice(Document):
    """The tokenizer of a run."""

    kind: TokenizerKind = "byte-bpe"
    """Trained on a sample of each source in proportion to its weight, the same for runs of any length. With a `file`,
    leave it out: the file says it."""
    file: str | None = None
    """A tokenizer that `sixnd tokenizer train` wrote, relative to the spec; nothing is trained then."""
    trained: TokenizerHeader | None = None
    """What the file says of itself, filled in when the spec is read; leave it out."""

    @model_validator(mode="after")
    def _of_a_file(self) -> Self:
        if self.trained is not None and self.file is None:
            raise SixndError("'trained' is what the file says of itself", "name a file, and leave trained out")
        return self


def read_header(path: Path) -> TokenizerHeader:
    """What a tokenizer file says of itself; raises ``InvalidDataError`` where it says nothing of the kind."""
    try:
        with path.open("rb") as file:
            return parsed_header(file.readline(_LONGEST_HEADER), path)
    except OSError as error:
        raise InvalidDataError(f"{path}: cannot be read ({error.strerror})", "name a tokenizer file") from error


def parsed_header(line: bytes, path: Path) -> TokenizerHeader:
    """The first line of the file at ``path``."""
    try:
        return TokenizerHeader.model_validate_json(line)
    except ValidationError as error:
        why = error.errors(include_url=False)[0]["msg"]
        raise InvalidDataError(f"{path}: its first line tells of no tokenizer ({why})", TRAIN_ANEW) from error


def with_header(marked: Marked) -> list[Problem]:
    """Put what the tokenizer file that a spec names says of itself beside its name, or tell what is wrong with it."""
    data = marked.data.get("data")
    choice = data.get("tokenizer") if isinstance(data, dict) else None
    if not isinstance(choice, dict) or not isinstance(choice.get("file"), str):
        return []
    if "kind" in choice:
        return [_problem(marked, "kind", "the file says itself of which kind it is", "leave kind out")]
    try:
        header = read_header(Path(marked.file).parent / choice["file"])
    except InvalidDataError as error:
        choice.pop("file")
        return [_problem(marked, "file", error.said, error.do)]
    choice |= {"kind": header.kind, "trained": header.plain()}
    return []


def _problem(marked: Marked, key: str, message: str, do: str) -> Problem:
    path = ("data", "tokenizer", key)
    return marked.problem(path, f"data.tokenizer.{key}: {message}", do)
