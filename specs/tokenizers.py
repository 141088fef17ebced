"""What a spec says of its tokenizer: a kind that is trained on the run's own text, or a file with one that is."""

from typing import Literal, Self

from pydantic import model_validator

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
