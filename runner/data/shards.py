"""A shard of cleaned documents: JSON lines in Zstandard, read and written as a stream, whole or not there."""

import contextlib
import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sixnd.runner.data.document import Document
from sixnd.runner.data.streams import opened
from sixnd.specs.errors import InvalidDataError, SixndError
from sixnd.specs.files import replaced_atomically

SUFFIX = ".jsonl.zst"
_LEVEL = 3
_FIELDS = ("id", "text", "licence", "source", "language", "path", "offset")


@contextlib.contextmanager
def shard_writer(path: Path) -> Iterator[Callable[[Document], None]]:
    """What writes documents to ``path``, which appears when the block ends without an error.

    Equal documents give equal files. Zstandard's own checksum stands in each, so that a damaged one is noticed.
    """
    packer = _zstandard(path).ZstdCompressor(level=_LEVEL, write_checksum=True)
    with replaced_atomically(path) as temporary, temporary.open("wb") as file, packer.stream_writer(file) as stream:
        yield lambda document: stream.write(_line(document))


def read_shard(path: Path) -> Iterator[Document]:
    """Documents of a shard, in order; raises ``InvalidDataError`` where it is damaged or missing."""
    try:
        with opened(path) as stream:
            for line in stream:
                yield Document(**json.loads(line))
    except (OSError, EOFError, ValueError, TypeError) as error:
        if isinstance(error, SixndError):
            raise
        raise InvalidDataError(
            f"{path}: the shard cannot be read ({error})", "delete it and prepare the data again"
        ) from error


def _line(document: Document) -> bytes:
    content = {name: getattr(document, name) for name in _FIELDS if getattr(document, name) not in (None, "")}
    content.setdefault("text", "")
    content.setdefault("licence", "")
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def _zstandard(path: Path) -> Any:
    try:
        return importlib.import_module("zstandard")
    except ImportError as error:
        raise SixndError(f"{path.name} needs zstandard", "pip install 'sixnd[data]'") from error
