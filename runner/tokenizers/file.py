"""The file of a trained tokenizer: one line of JSON that says what it is, then the library's own data.

``tail -n +2 FILE`` gives what `tokenizers` (JSON) or SentencePiece (its model) reads. Nothing in it is trusted before
its SHA-256, its kind and its number of entries were found to be what the first line says. Imports no torch.
"""

import hashlib
from pathlib import Path

from sixnd.runner.tokenizers.text_models import TextModel, text_model
from sixnd.specs.errors import InvalidDataError
from sixnd.specs.files import replaced_atomically
from sixnd.specs.tokenizers import TRAIN_ANEW, TokenizerHeader, TokenizerKind, parsed_header


def write_tokenizer(path: Path, kind: TokenizerKind, data: bytes) -> None:
    """Write a trained tokenizer in one step; ``data`` is what ``tokenizer_training.train`` gave."""
    size = text_model(kind, data, str(path)).vocab_size
    header = TokenizerHeader(kind=kind, vocab_size=size, sha256=hashlib.sha256(data).hexdigest())
    with replaced_atomically(path) as temporary:
        temporary.write_bytes(header.model_dump_json().encode() + b"\n" + data)


def load_tokenizer(path: Path) -> TextModel:
    """The tokenizer in a file; raises ``InvalidDataError`` where it is missing, damaged or of another format."""
    header, data = _sound(path)
    model = text_model(header.kind, data, str(path))
    if model.vocab_size != header.vocab_size:
        raise InvalidDataError(
            f"{path}: it has {model.vocab_size:,} entries and says {header.vocab_size:,}", f"{TRAIN_ANEW}"
        )
    return model


def tokenizer_data(path: Path) -> tuple[TokenizerKind, bytes]:
    """The kind of the tokenizer in a file, and its library's own data; raises as ``load_tokenizer`` does."""
    header, data = _sound(path)
    return header.kind, data


def _sound(path: Path) -> tuple[TokenizerHeader, bytes]:
    header, data = _read(path)
    found = hashlib.sha256(data).hexdigest()
    if found != header.sha256:
        raise InvalidDataError(
            f"{path}: its data has SHA-256 {found}, not {header.sha256}: it was changed", f"{TRAIN_ANEW}"
        )
    return header, data


def _read(path: Path) -> tuple[TokenizerHeader, bytes]:
    try:
        first, _, data = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise InvalidDataError(f"{path}: cannot be read ({error.strerror})", "name a tokenizer file") from error
    return parsed_header(first, path), data


def _damaged(path: Path, why: str) -> InvalidDataError:
    return InvalidDataError(f"{path}: {why}", f"{TRAIN_ANEW}")
