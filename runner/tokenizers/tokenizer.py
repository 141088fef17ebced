"""A trained tokenizer of any kind as Megatron's datasets expect one."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from megatron.core.datasets.megatron_tokenizer import MegatronLegacyTokenizer

from sixnd.runner.tokenizers.encode import encode_documents
from sixnd.runner.tokenizers.file import load_tokenizer
from sixnd.runner.tokenizers.text_models import END_OF_DOCUMENT, PADDING

# Megatron says at every start that its newer tokenizer classes are preferred; those cannot be subclassed.
logging.getLogger("megatron.core.datasets.megatron_tokenizer").setLevel(logging.ERROR)


class Tokenizer(MegatronLegacyTokenizer):
    """The tokenizer in a file that ``write_tokenizer`` wrote."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.model = load_tokenizer(path)

    def tokenize(self, text: str) -> list[int]:
        """Token ids of ``text``, without an end-of-document mark."""
        return [int(i) for i in self.model.encode([text])[0]]

    def detokenize(self, ids: Iterable[int] | np.ndarray[Any, Any]) -> str:
        """Text of token ids."""
        return self.model.decode(int(i) for i in ids)

    def encode_documents(self, texts: Sequence[str], threads: int) -> list[np.ndarray[Any, Any]]:
        """Token ids of each document, end-of-document mark included, in the type they are stored in."""
        return encode_documents(self.model, texts, threads)

    @property
    def vocab(self) -> dict[str, int]:
        """Pieces and their ids."""
        return {self.model.piece(i): i for i in range(self.vocab_size)}

    @property
    def inv_vocab(self) -> dict[int, str]:
        """Ids and their pieces."""
        return {i: self.model.piece(i) for i in range(self.vocab_size)}

    @property
    def vocab_size(self) -> int:
        """Number of entries."""
        return self.model.vocab_size

    @property
    def eod(self) -> int:
        """Id of the end-of-document mark."""
        return END_OF_DOCUMENT

    @property
    def pad(self) -> int:
        """Id of padding; it is not the end of document, which Megatron would otherwise mask."""
        return PADDING
