"""Megatron's indexed data (``.bin`` tokens, ``.idx`` index) written from NumPy arrays, and checked by hash.

What is written equals, byte for byte, what megatron-core's ``IndexedDatasetBuilder`` writes with one sequence a
document. Beside the two files stands ``<prefix>.json`` with their SHA-256; it is written last, so data that has one
is whole.
"""

import contextlib
import hashlib
import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sixnd.specs.errors import InvalidDataError
from sixnd.specs.files import file_sha256, replaced_atomically, write_atomically

Array = np.ndarray[Any, Any]

HEADER = b"MMIDIDX\x00\x00"
COUNTS = "<QBQQ"
"""Behind the header: version, code of the type, sequences, and sequence ends."""
VERSION = 1
CODES = {"int32": 4, "uint16": 8}
"""Megatron's ``DType`` (megatron-core 0.16.1, indexed_dataset.py)."""
_UINT16_BELOW = 65_500
"""Entries from which Megatron stores int32 (``DType.optimal_dtype``): a little below 2^16."""
_FORMAT = "indexed/1"


@dataclass(frozen=True)
class Summary:
    """What was written, as ``<prefix>.json`` holds it."""

    format: str
    dtype: str
    documents: int
    tokens: int
    bin_sha256: str
    idx_sha256: str


def token_dtype(vocab_size: int) -> np.dtype[Any]:
    """Type that Megatron stores the ids of so many entries in: uint16, or int32 from 65,500 on."""
    return np.dtype(np.uint16 if vocab_size < _UINT16_BELOW else np.int32)


def with_suffix(prefix: Path, suffix: str) -> Path:
    """``prefix`` and ``suffix``; a dot within the prefix is part of its name."""
    return prefix.with_name(prefix.name + suffix)


class IndexedWriter:
    """Documents, batch by batch, into the open ``.bin`` file; made by ``indexed_writer``."""

    def __init__(self, binary: BinaryIO, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self._binary = binary
        self._sha256 = hashlib.sha256()
        self._lengths: list[Array] = []
        self._largest = int(np.iinfo(dtype).max)

    def add(self, documents: Sequence[Array]) -> None:
        """Append documents, each a one-dimensional array of token ids."""
        if documents:
            lengths = np.fromiter(map(len, documents), np.int32, len(documents))
            self.add_joined(documents[0] if len(documents) == 1 else np.concatenate(documents), lengths)

    def add_joined(self, tokens: Array, lengths: Array) -> None:
        """Append documents that stand one after the other in ``tokens``; ``lengths`` sum to its size."""
        assert tokens.ndim == 1
        assert int(lengths.sum()) == tokens.size
        if tokens.dtype != self.dtype:
            assert not tokens.size or 0 <= int(tokens.min()) <= int(tokens.max()) <= self._largest
            tokens = tokens.astype(self.dtype)
        data = np.ascontiguousarray(tokens).data.cast("B")
        self._sha256.update(data)
        self._binary.write(data)
        self._lengths.append(lengths.astype(np.int32))

    def lengths(self) -> Array:
        """Tokens of each document so far."""
        return np.concatenate([np.zeros(0, np.int32), *self._lengths])

    def sha256(self) -> str:
        """Digest of the tokens so far."""
        return self._sha256.hexdigest()


@contextlib.contextmanager
def indexed_writer(prefix: Path, dtype: np.dtype[Any]) -> Iterator[IndexedWriter]:
    """A writer whose files appear at ``prefix`` when the block ends without an error, and not before."""
    with_suffix(prefix, ".json").unlink(missing_ok=True)
    binary_path, index_path = with_suffix(prefix, ".bin"), with_suffix(prefix, ".idx")
    with replaced_atomically(binary_path) as new_binary, replaced_atomically(index_path) as new_index:
        with new_binary.open("wb") as binary:
            writer = IndexedWriter(binary, dtype)
            yield writer
        index = _index(writer.lengths(), dtype)
        new_index.write_bytes(index)
    lengths = writer.lengths()
    summary = Summary(
        format=_FORMAT,
        dtype=dtype.name,
        documents=len(lengths),
        tokens=int(lengths.sum(dtype=np.int64)),
        bin_sha256=writer.sha256(),
        idx_sha256=hashlib.sha256(index).hexdigest(),
    )
    write_atomically(with_suffix(prefix, ".json"), json.dumps(asdict(summary), indent=1) + "\n")


def _index(lengths: Array, dtype: np.dtype[Any]) -> bytes:
    """The ``.idx`` file: header, then lengths, byte offsets and document ends."""
    count = len(lengths)
    offsets = np.zeros(count, np.int64)
    np.cumsum(lengths[:-1], dtype=np.int64, out=offsets[1:])
    offsets *= dtype.itemsize
    head = HEADER + struct.pack(COUNTS, VERSION, CODES[dtype.name], count, count + 1)
    return b"".join([head, lengths.tobytes(), offsets.tobytes(), np.arange(count + 1, dtype=np.int64).tobytes()])


def verified(prefix: Path) -> Summary:
    """What ``<prefix>.json`` says, after both files were read and found to be what it says.

    Raises ``InvalidDataError`` naming the file that is missing, cut or changed.
    """
    summary = _read_summary(with_suffix(prefix, ".json"))
    for suffix, known in ((".bin", summary.bin_sha256), (".idx", summary.idx_sha256)):
        path = with_suffix(prefix, suffix)
        if not path.is_file():
            raise InvalidDataError(
                f"{path}: it is missing, though {prefix.name}.json tells of it", "write the data anew"
            )
        found = file_sha256(path)
        if found != known:
            raise InvalidDataError(
                f"{path}: its SHA-256 is {found}, not {known}: it was changed", "write the data anew"
            )
    return summary


def _read_summary(path: Path) -> Summary:
    try:
        content = json.loads(path.read_text("utf-8"))
        summary = Summary(**content)
    except FileNotFoundError as error:
        raise InvalidDataError(
            f"{path}: it is missing: the data was never finished, or not written by us", "write the data anew"
        ) from error
    except (ValueError, TypeError) as error:
        raise InvalidDataError(f"{path}: not a summary of indexed data ({error})", "write the data anew") from error
    if summary.format != _FORMAT:
        raise InvalidDataError(
            f"{path}: format '{summary.format}'", f"write the data anew: this version reads '{_FORMAT}'"
        )
    return summary
