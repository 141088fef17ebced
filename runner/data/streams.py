"""Bytes of files, compressed or not, and their lines, in bounded memory."""

import gzip
import importlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from sixnd.specs.errors import SixndError

DAMAGED = (EOFError, OSError, zlib.error)
"""What reading a file that is damaged, truncated or forbidden may raise."""
_SKIP_BYTES = 1 << 20


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes; ``.gz`` and ``.zst`` are decompressed on the way. Reading raises one of ``DAMAGED``."""
    with path.open("rb") as file:
        if path.suffix == ".gz":
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield unpacked  # type: ignore[misc]
        elif path.suffix == ".zst":
            yield io.BufferedReader(_Zstandard(file, path))
        else:
            yield file


def lines(stream: IO[bytes], longest: int) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines (from 1) without their ends; ``None`` for one of more than ``longest`` bytes.

    No more than one line and its buffer is held, however long the line.
    """
    number = 0
    while line := stream.readline(longest + 1):
        number += 1
        if len(line) <= longest or line.endswith(b"\n"):
            yield number, line.rstrip(b"\r\n")
            continue
        while (rest := stream.readline(_SKIP_BYTES)) and not rest.endswith(b"\n"):
            pass
        yield number, None


class _Zstandard(io.RawIOBase):
    """Frames of Zstandard one after the other; a last frame that is not whole raises ``EOFError``.

    zstandard's own stream reader ends silently there, and text would be lost without a word.
    """

    _CHUNK_BYTES = 4096
    """Of packed bytes at once: a block of 4 bytes may unpack to 128 KiB, so this holds 128 MiB at worst."""

    def __init__(self, packed: BinaryIO, path: Path) -> None:
        try:
            self._library: Any = importlib.import_module("zstandard")
        except ImportError as error:
            raise SixndError(f"{path} needs zstandard", "pip install 'sixnd[data]'") from error
        self._packed = packed
        self._frame: Any = None
        self._unpacked = b""
        self._at = 0
        self._next = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while self._at == len(self._unpacked):
            if not self._more():
                return 0
        part = self._unpacked[self._at : self._at + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def _more(self) -> bool:
        chunk = self._next or self._packed.read(self._CHUNK_BYTES)
        self._next = b""
        if not chunk:
            if self._frame is not None:
                raise EOFError("the last frame is not whole")
            return False
        self._frame = self._frame or self._library.ZstdDecompressor().decompressobj()
        try:
            self._unpacked, self._at = self._frame.decompress(chunk), 0
        except self._library.ZstdError as error:
            raise OSError(f"damaged Zstandard data: {error}") from error
        if self._frame.eof:
            self._next = self._frame.unused_data
            self._frame = None
        return True
