"""Megatron's indexed data (``.bin`` tokens, ``.idx`` index) read as NumPy arrays, one document a sequence."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sixnd.runner.indexed import CODES, COUNTS, HEADER, VERSION, with_suffix
from sixnd.specs.errors import InvalidDataError

Array = np.ndarray[Any, Any]

_DTYPES: dict[int, np.dtype[Any]] = {code: np.dtype(name) for name, code in CODES.items()}
_BATCH_TOKENS = 1 << 20


class IndexedReader:
    """The documents at one prefix, in order.

    Raises ``InvalidDataError`` naming the file that is missing, cut, or not indexed data.
    """

    def __init__(self, prefix: Path) -> None:
        self.binary, index = with_suffix(prefix, ".bin"), with_suffix(prefix, ".idx")
        self.dtype, self.lengths = _read_index(index)
        self.tokens = int(self.lengths.sum(dtype=np.int64))
        size = self.binary.stat().st_size if self.binary.is_file() else -1
        if size != self.tokens * self.dtype.itemsize:
            raise InvalidDataError(
                f"{self.binary}: {'it is missing' if size < 0 else f'{size:,} bytes'}, where {index.name} tells of "
                f"{self.tokens:,} tokens of {self.dtype.itemsize} bytes",
                "write the data anew",
            )

    @property
    def documents(self) -> int:
        """How many there are."""
        return len(self.lengths)

    def batches(self, first: int, last: int) -> Iterator[tuple[Array, Array]]:
        """Documents [first, last), some at a time: their tokens joined, and the length of each.

        A batch holds no more tokens than fit a few MiB, but for a single document that is larger.
        """
        with self.binary.open("rb") as file:
            file.seek(int(self.lengths[:first].sum(dtype=np.int64)) * self.dtype.itemsize)
            for lengths in _grouped(self.lengths[first:last]):
                count = int(lengths.sum(dtype=np.int64))
                tokens = np.fromfile(file, self.dtype, count)
                if len(tokens) < count:
                    raise InvalidDataError(f"{self.binary}: it was cut while it was read", "write the data anew")
                yield tokens, lengths


def _grouped(lengths: Array) -> Iterator[Array]:
    """Runs of documents of about as many tokens."""
    ends = np.cumsum(lengths, dtype=np.int64)
    cuts = np.flatnonzero(np.diff(ends // _BATCH_TOKENS)) + 1
    yield from (group for group in np.split(lengths, cuts) if len(group))


def _read_index(path: Path) -> tuple[np.dtype[Any], Array]:
    """Type of the tokens, and the length of each document."""
    head = len(HEADER) + struct.calcsize(COUNTS)
    try:
        with path.open("rb") as file:
            start = file.read(head)
            if len(start) < head or not start.startswith(HEADER):
                raise InvalidDataError(f"{path}: not an index of Megatron's indexed data", "write the data anew")
            version, code, count, ends = struct.unpack_from(COUNTS, start, len(HEADER))
            lengths = np.fromfile(file, np.int32, count)
    except OSError as error:
        raise InvalidDataError(f"{path}: cannot be read: {error.strerror}", "write the data anew") from error
    if version != VERSION or code not in _DTYPES or ends != count + 1 or len(lengths) != count:
        raise InvalidDataError(f"{path}: cut short, or not one document a sequence", "write the data anew")
    return _DTYPES[code], lengths
