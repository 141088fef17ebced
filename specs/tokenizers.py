"""What a spec says of its tokenizer: a kind that is trained on the run's own text, or a file with one that is."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sixnd.specs.document import Document

TokenizerKind = Literal["byte-bpe", "sp-bpe", "sp-unigram", "wordpiece"]
"""Byte-level BPE; SentencePiece BPE or Unigram with byte fallback; WordPiece, which loses what stood between words."""


class TokenizerChoice(Document):
    """The tokenizer of a run."""

    kind: TokenizerKind = "byte-bpe"
    """Trained on a sample of each source in proportion to its share."""
    file: str | None = None
    """A tokenizer that `sixnd tokenizer train` wrote, relative to the spec; nothing is trained then."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.file is not None and "kind" in self.model_fields_set:
            raise ValueError("a file says itself of which kind it is; leave kind out")
        return self


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
