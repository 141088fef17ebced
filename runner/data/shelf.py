"""A growing array that moves to disk when it gets large."""

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

Array = np.ndarray[Any, Any]


class Shelf:
    """Values appended piece by piece and read as one array, which is on disk above ``memory_bytes``.

    The file has no name: it is gone when the shelf is closed or the process ends, by whatever hand.
    """

    def __init__(self, dtype: Any, memory_bytes: int, spill_dir: Path | None = None) -> None:
        self._dtype = np.dtype(dtype)
        self._limit = memory_bytes
        self._dir = spill_dir
        self._pieces: list[Array] = []
        self._held_bytes = 0
        self._file: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pieces = []
        if self._file is not None:
            self._file.close()

    def add(self, values: Array) -> None:
        """Append values; what is held is written out when it passes the limit."""
        assert values.dtype == self._dtype
        self._pieces.append(values)
        self._held_bytes += values.nbytes
        if self._held_bytes > self._limit:
            self._write_out()

    def read(self) -> Array:
        """All values so far, in order."""
        if self._file is None:
            return np.concatenate(self._pieces) if self._pieces else np.empty(0, self._dtype)
        self._write_out()
        self._file.flush()
        return np.memmap(self._file, dtype=self._dtype, mode="r")

    @property
    def on_disk(self) -> bool:
        """The values have outgrown the memory given to them."""
        return self._file is not None

    def _write_out(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._dir)  # noqa: SIM115 - closed with the shelf
        for piece in self._pieces:
            self._file.write(np.ascontiguousarray(piece).data)
        self._pieces, self._held_bytes = [], 0
