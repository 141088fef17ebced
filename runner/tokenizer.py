"""The run's own tokenizer: SentencePiece BPE with byte fallback, lossless on any text."""

import io
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
from megatron.core.datasets.megatron_tokenizer import MegatronLegacyTokenizer

from sixnd.specs.errors import SixndError

# Megatron says at every start that its newer tokenizer classes are preferred; those cannot be subclassed.
logging.getLogger("megatron.core.datasets.megatron_tokenizer").setLevel(logging.ERROR)

END_OF_DOCUMENT, PADDING, UNKNOWN = 0, 1, 2


class Tokenizer(MegatronLegacyTokenizer):
    """A trained SentencePiece model as Megatron's datasets expect a tokenizer."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.model = sentencepiece.SentencePieceProcessor(model_file=str(path))

    def tokenize(self, text: str) -> list[int]:
        """Token ids of ``text``, without an end-of-document mark."""
        return list(self.model.encode(text))

    def detokenize(self, ids: Iterable[int] | np.ndarray[Any, Any]) -> str:
        """Text of token ids."""
        return str(self.model.decode([int(i) for i in ids]))

    def encode_documents(self, texts: list[str], threads: int) -> list[list[int]]:
        """Token ids of each document, the end-of-document mark included."""
        return [[*ids, END_OF_DOCUMENT] for ids in self.model.encode(texts, num_threads=threads)]

    @property
    def vocab(self) -> dict[str, int]:
        """Pieces and their ids."""
        return {self.model.id_to_piece(i): i for i in range(self.vocab_size)}

    @property
    def inv_vocab(self) -> dict[int, str]:
        """Ids and their pieces."""
        return {i: piece for piece, i in self.vocab.items()}

    @property
    def vocab_size(self) -> int:
        """Number of entries."""
        return int(self.model.get_piece_size())

    @property
    def eod(self) -> int:
        """Id of the end-of-document mark."""
        return END_OF_DOCUMENT

    @property
    def pad(self) -> int:
        """Id of padding; it is not the end of document, which Megatron would otherwise mask."""
        return PADDING


def train_tokenizer(texts: Iterable[str], vocab_size: int, path: Path, threads: int) -> None:
    """Train on ``texts`` and write the model to ``path``.

    Nothing is normalised away (identity rule, spaces and line ends kept), digits are split and unseen characters
    fall back to bytes, so encoding then decoding gives the text back. The same texts give the same model.
    """
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_pieces(texts),
            model_writer=model,
            model_type="bpe",
            vocab_size=vocab_size,
            byte_fallback=True,
            split_digits=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,
            allow_whitespace_only_pieces=True,
            user_defined_symbols=["\n"],
            max_sentence_length=1 << 20,
            character_coverage=0.9995,
            eos_id=END_OF_DOCUMENT,
            pad_id=PADDING,
            unk_id=UNKNOWN,
            bos_id=-1,
            num_threads=threads,
            minloglevel=2,
        )
    except (RuntimeError, ValueError) as error:
        raise SixndError(
            f"a vocabulary of {vocab_size} cannot be trained on this text ({error}); "
            "give more text or set a smaller model.vocab_size"
        ) from error
    path.write_bytes(model.getvalue())


def _pieces(texts: Iterable[str]) -> Iterable[str]:
    """Lines, since SentencePiece trains on sentences; a NUL would end a string in its C++ core."""
    for text in texts:
        for line in text.replace("\0", "").split("\n"):
            if line:
                yield line
