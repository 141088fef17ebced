"""Trained tokenizers of every kind behind one small surface: text to ids, ids to text. Imports no torch.

In all of them id 0 ends a document and id 1 is padding, and no text, whatever it says, encodes to either.
"""

import functools
import json
import os
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np

from sixnd.specs.errors import InvalidDataError
from sixnd.specs.tokenizers import TokenizerKind

Array = np.ndarray[Any, Any]

END_OF_DOCUMENT, PADDING, UNKNOWN = 0, 1, 2
END_OF_DOCUMENT_PIECE, PADDING_PIECE = "<|endoftext|>", "<|padding|>"
SPACE_MARK = "\u2581"
"""What SentencePiece writes for a space."""

_MOST_BLANKS = 200_000
"""Blanks in a row that tiktoken is given: its regex engine runs out of stack on 800,000 and not on 400,000."""
_BLANKS = re.compile(r"\s+")
_JUDGED_CHARACTERS = 1 << 16
"""Of the first texts that an encoder is judged by: 25 ms of `tokenizers`."""
_SLOW = (
    "tiktoken's ids differ from those of `tokenizers` on this text, so `tokenizers` encodes, about four times slower; "
    "the tokens are the same"
)


class TextModel(Protocol):
    """A trained tokenizer."""

    kind: TokenizerKind
    lossless: bool
    """Whether decoding gives any text back unchanged."""

    @property
    def note(self) -> str | None:
        """What a user must know of how it encodes, if anything."""

    @property
    def vocab_size(self) -> int:
        """Number of entries."""

    def encode(self, texts: Sequence[str], threads: int = 1) -> list[Array]:
        """Ids of each text, without an end-of-document mark."""

    def decode(self, ids: Iterable[int]) -> str:
        """Text of ids."""

    def piece(self, index: int) -> str:
        """How the model writes an entry."""


class SentencePieceModel:
    """SentencePiece with byte fallback: lossless on any text.

    SentencePiece itself writes a space as U+2581 and so gives a space back for that character; here it goes through
    its three bytes instead.
    """

    lossless = True
    note: str | None = None

    def __init__(self, data: bytes, kind: TokenizerKind) -> None:
        import sentencepiece

        self.kind: TokenizerKind = kind
        self._model = sentencepiece.SentencePieceProcessor(model_proto=data)
        marks = [self._model.piece_to_id(f"<0x{byte:02X}>") for byte in SPACE_MARK.encode()]
        ends = (self._model.eos_id(), self._model.pad_id())
        if ends != (END_OF_DOCUMENT, PADDING) or not all(map(self._model.is_byte, marks)):
            raise ValueError("end of document must be 0, padding 1, and the model must fall back to bytes")
        self._mark_bytes = marks

    @property
    def vocab_size(self) -> int:
        """Number of entries."""
        return int(self._model.get_piece_size())

    def encode(self, texts: Sequence[str], threads: int = 1) -> list[Array]:
        """Ids of each text, without an end-of-document mark."""
        found = self._model.encode(list(texts), num_threads=threads)
        for i, text in enumerate(texts):
            if SPACE_MARK in text:
                found[i] = self._around_marks(text)
        return [np.array(ids, np.int32) for ids in found]

    def _around_marks(self, text: str) -> list[int]:
        first, *rest = self._model.encode(text.split(SPACE_MARK))
        ids = list(first)
        for part in rest:
            ids += self._mark_bytes
            ids += part
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Text of ids."""
        return str(self._model.decode([int(i) for i in ids]))

    def piece(self, index: int) -> str:
        """How the model writes an entry."""
        return str(self._model.id_to_piece(index))


class _HuggingFaceModel:
    """What the kinds of the `tokenizers` library share."""

    def __init__(self, data: bytes) -> None:
        from tokenizers import Tokenizer

        try:
            self._model = Tokenizer.from_str(data.decode())
        except Exception as error:  # the library raises bare Exception
            raise ValueError(str(error)) from error
        self._model.encode_special_tokens = True  # a text that spells a mark out is text
        if [self._model.id_to_token(i) for i in (0, 1)] != [END_OF_DOCUMENT_PIECE, PADDING_PIECE]:
            raise ValueError(f"entries 0 and 1 must be {END_OF_DOCUMENT_PIECE} and {PADDING_PIECE}")

    @property
    def vocab_size(self) -> int:
        """Number of entries."""
        return int(self._model.get_vocab_size())

    def piece(self, index: int) -> str:
        """How the model writes an entry."""
        return str(self._model.id_to_token(index))

    def _encode(self, texts: Sequence[str], threads: int) -> list[Array]:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true" if threads > 1 else "false")
        found = self._model.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(one.ids, np.int32) for one in found]


class WordPieceModel(_HuggingFaceModel):
    """WordPiece on words and punctuation.

    Not lossless: what stood between two words comes back as one space, and a word with a character that the training
    text hardly had comes back as [UNK].
    """

    kind: TokenizerKind = "wordpiece"
    lossless = False
    note: str | None = (
        "WordPiece is lossy: what stood between two words comes back as one space, and words with rare characters as "
        "[UNK]; the other kinds give any text back unchanged"
    )

    def encode(self, texts: Sequence[str], threads: int = 1) -> list[Array]:
        """Ids of each text, without an end-of-document mark."""
        return self._encode(texts, threads)

    def decode(self, ids: Iterable[int]) -> str:
        """Words of ids, one space between them."""
        return str(self._model.decode([int(i) for i in ids], skip_special_tokens=False))


class ByteLevelModel(_HuggingFaceModel):
    """Byte-level BPE trained by `tokenizers`, encoded by tiktoken from the same ranks while their ids are equal."""

    kind: TokenizerKind = "byte-bpe"
    lossless = True

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        import tiktoken

        content = json.loads(data)
        pattern = content["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
        self._bytes = {i: _as_bytes(piece) for piece, i in content["model"]["vocab"].items() if i > PADDING}
        marks = {END_OF_DOCUMENT_PIECE: END_OF_DOCUMENT, PADDING_PIECE: PADDING}
        ranks = {piece: i for i, piece in self._bytes.items()}
        self._fast = tiktoken.Encoding("sixnd", pat_str=pattern, mergeable_ranks=ranks, special_tokens=marks)
        self._bytes |= {i: mark.encode() for mark, i in marks.items()}
        self.fast: bool | None = None
        """Whether tiktoken encodes, or `tokenizers`; not known before both were given the same text."""

    def encode(self, texts: Sequence[str], threads: int = 1) -> list[Array]:
        """Ids of each text, without an end-of-document mark.

        The first texts are given to both encoders, and tiktoken is trusted if its ids are those of `tokenizers`.
        """
        if self.fast is None:
            self.judge(_sample(texts))
        if not self.fast:
            return self._encode(texts, threads)
        if threads == 1:
            return [self._encode_fast(text) for text in texts]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(self._encode_fast, texts))

    def _encode_fast(self, text: str) -> Array:
        if _has_long_blank(text):
            return self._encode([text], 1)[0]
        return self._fast.encode_to_numpy(text, disallowed_special=()).astype(np.int32)

    def judge(self, texts: Sequence[str]) -> None:
        """Let tiktoken encode from now on if it gives the ids of `tokenizers` on these texts, else `tokenizers`."""
        if any(texts):
            self.fast = self.first_difference(texts) is None

    @property
    def note(self) -> str | None:
        """Said once `tokenizers` has to encode."""
        return _SLOW if self.fast is False else None

    def first_difference(self, texts: Sequence[str]) -> str | None:
        """The first text that tiktoken and `tokenizers` encode to different ids, if there is one."""
        for text, slow in zip(texts, self._encode(texts, 1), strict=True):
            if not np.array_equal(self._encode_fast(text), slow):
                return text
        return None

    def decode(self, ids: Iterable[int]) -> str:
        """Text of ids; bytes that are no UTF-8 become U+FFFD."""
        return b"".join(self._bytes[int(i)] for i in ids).decode("utf-8", errors="replace")


def _has_long_blank(text: str) -> bool:
    """Whether blanks stand in a row that is too long for tiktoken; such a row covers a multiple of its length."""
    if not any(text[i].isspace() for i in range(0, len(text), _MOST_BLANKS)):
        return False
    return any(found.end() - found.start() > _MOST_BLANKS for found in _BLANKS.finditer(text))


def _sample(texts: Sequence[str]) -> list[str]:
    """The first texts, as many as an encoder is judged by, the last one cut."""
    found, left = [], _JUDGED_CHARACTERS
    for text in texts:
        found.append(text[:left])
        left -= len(text)
        if left <= 0:
            break
    return found


@functools.cache
def _bytes_of_characters() -> dict[str, int]:
    """GPT-2's way to write bytes as characters: those that print stand for themselves, the rest from U+0100 on."""
    printed = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(0x100) if byte not in printed]
    return {chr(byte): byte for byte in printed} | {chr(0x100 + i): byte for i, byte in enumerate(rest)}


@functools.cache
def _latin_of_characters() -> dict[int, int]:
    """The same for ``str.translate``: the character that Latin-1 writes as the byte."""
    return {ord(character): byte for character, byte in _bytes_of_characters().items()}


def _as_bytes(piece: str) -> bytes:
    return piece.translate(_latin_of_characters()).encode("latin-1")


def text_model(kind: TokenizerKind, data: bytes, name: str) -> TextModel:
    """The tokenizer of ``kind`` in ``data`` (its library's own format); ``name`` is the file told in errors."""
    try:
        if kind == "byte-bpe":
            return ByteLevelModel(data)
        return WordPieceModel(data) if kind == "wordpiece" else SentencePieceModel(data, kind)
    except (ValueError, RuntimeError, KeyError, TypeError, IndexError) as error:
        raise InvalidDataError(
            f"{name}: no {kind} tokenizer as `sixnd tokenizer train` writes it ({error})", "train it anew"
        ) from error
