"""Documents to token ids as they are stored, each ended by its mark. Imports no torch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sixnd.runner.data.document import utf8_bytes
from sixnd.runner.indexed import indexed_writer, token_dtype
from sixnd.runner.tokenizers.text_models import END_OF_DOCUMENT, TextModel

Array = np.ndarray[Any, Any]
Progress = Callable[[int, int], None]
"""Told documents and bytes so far."""

_CHARACTERS_AT_ONCE = 1 << 20


@dataclass
class Encoded:
    """What was encoded."""

    documents: int = 0
    bytes: int = 0
    """Of UTF-8."""
    tokens: int = 0
    """With one end-of-document mark each."""
    without_tokens: int = 0
    """Documents that the tokenizer gave no token for, which are left out."""


def encode_documents(model: TextModel, texts: Sequence[str], threads: int = 1) -> list[Array]:
    """Ids of each text and its end-of-document mark, in the type that Megatron stores so many entries in."""
    dtype = token_dtype(model.vocab_size)
    return [_ended(ids, dtype) for ids in model.encode(texts, threads)]


def encode_to(
    prefix: Path, model: TextModel, texts: Iterable[str], threads: int = 1, progress: Progress | None = None
) -> Encoded:
    """Write ``<prefix>.bin``, ``.idx`` and their digests; about a million characters are held at once.

    The files are those of Megatron-LM's ``tools/preprocess_data.py --append-eod``. It writes a document that no token
    comes of as one without a sequence, which a dataset never reads; here it is left out.
    """
    done = Encoded()
    with indexed_writer(prefix, token_dtype(model.vocab_size)) as writer:
        for batch in batches(texts):
            found = [ids for ids in encode_documents(model, batch, threads) if len(ids) > 1]
            writer.add(found)
            done.documents += len(found)
            done.without_tokens += len(batch) - len(found)
            done.bytes += sum(map(utf8_bytes, batch))
            done.tokens += sum(map(len, found))
            if progress is not None:
                progress(done.documents, done.bytes)
    return done


def batches(texts: Iterable[str], characters: int = _CHARACTERS_AT_ONCE) -> Iterator[list[str]]:
    """Texts in lists of about so many characters; a longer text is a list of its own."""
    batch: list[str] = []
    size = 0
    for text in texts:
        if batch and size + len(text) > characters:
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    if batch:
        yield batch


def _ended(ids: Array, dtype: np.dtype[Any]) -> Array:
    document = np.empty(len(ids) + 1, dtype)
    document[:-1] = ids
    document[-1] = END_OF_DOCUMENT
    return document
