"""Documents to token ids as they are stored, each ended by its mark. Imports no torch."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sixnd.runner.indexed import token_dtype
from sixnd.runner.text_models import END_OF_DOCUMENT, TextModel

Array = np.ndarray[Any, Any]


def encode_documents(model: TextModel, texts: Sequence[str], threads: int = 1) -> list[Array]:
    """Ids of each text and its end-of-document mark, in the type that Megatron stores so many entries in."""
    dtype = token_dtype(model.vocab_size)
    return [_ended(ids, dtype) for ids in model.encode(texts, threads)]


def _ended(ids: Array, dtype: np.dtype[Any]) -> Array:
    document = np.empty(len(ids) + 1, dtype)
    document[:-1] = ids
    document[-1] = END_OF_DOCUMENT
    return document
