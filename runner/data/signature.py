"""What stands for one shard's documents until those of all shards are there: columns of numbers in one file.

The file is a magic line, a line of JSON that names the columns, and the columns, each padded to 64 bytes. It is read by
mapping it: no column is held in memory, and nothing is unpickled. Its length follows from its head, so one that is cut
short is noticed.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from sixnd.runner.data.document import Document
from sixnd.runner.data.shelf import Array, Shelf
from sixnd.runner.data.stage import Named, digest
from sixnd.specs.errors import InvalidDataError
from sixnd.specs.files import replaced_atomically

_MAGIC = b"sixnd signature 1\n"
_ALIGNED_BYTES = 64
_MEMORY_BYTES = 32 << 20  # of one column, before it goes to disk while it grows
_MOST_MAPPED = 128  # signatures at once: every map holds a file open
_HEAD = {"stage", "settings_sha256", "source", "documents", "ids_sha256", "columns"}


class SignatureWriter:
    """Gathers columns, beyond 32 MiB each on disk, and writes them in one step at the end of a ``with`` block.

    ``plain`` columns have a fixed number of values a document, ``ragged`` ones any number. A block that is left by an
    error, or before all documents are there, writes nothing.
    """

    def __init__(self, path: Path, stage: Named, *, plain: dict[str, Any], ragged: dict[str, Any]) -> None:
        self._path, self._stage = path, stage
        kinds = {**plain, **ragged, "ids": np.uint8}
        kinds |= {f"{name} ends": np.int64 for name in (*ragged, "ids")}
        self._stack = ExitStack()
        self._columns = {
            name: self._stack.enter_context(Shelf(kind, _MEMORY_BYTES, path.parent)) for name, kind in kinds.items()
        }
        self._last_end = dict.fromkeys((*ragged, "ids"), 0)
        self._source, self._documents, self._ids = "", 0, hashlib.sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if kind is None:
                self._write()

    def add_documents(self, batch: Sequence[Document]) -> None:
        """The documents whose values are added along with this call."""
        ids = [id_bytes(document.id) for document in batch]
        self._source = batch[0].source
        self._documents += len(batch)
        self._ids.update(b"".join(ids))
        self.add_rows("ids", np.frombuffer(b"".join(ids), np.uint8), np.array([len(one) for one in ids]))

    def add(self, name: str, values: Array) -> None:
        """Values of a plain column."""
        self._columns[name].add(values)

    def add_rows(self, name: str, values: Array, counts: Array) -> None:
        """Values of a ragged column, and how many each document has."""
        ends = np.cumsum(counts, dtype=np.int64) + self._last_end[name]
        self._last_end[name] += int(counts.sum())
        self._columns[name].add(values)
        self._columns[f"{name} ends"].add(ends)

    def _write(self) -> None:
        columns = {name: shelf.read() for name, shelf in self._columns.items()}
        head = {
            "stage": self._stage.name,
            "settings_sha256": digest(self._stage),
            "source": self._source,
            "documents": self._documents,
            "ids_sha256": self._ids.hexdigest(),
            "columns": [[name, values.dtype.str, len(values)] for name, values in columns.items()],
        }
        with replaced_atomically(self._path) as temporary, temporary.open("wb") as file:
            start = _MAGIC + json.dumps(head).encode()
            file.write(start.ljust(_padded(len(start) + 1) - 1) + b"\n")
            for values in columns.values():
                file.write(values.data)
                file.write(bytes(_padded(values.nbytes) - values.nbytes))


class Signature:
    """One shard's columns, mapped from its file."""

    def __init__(self, path: Path) -> None:
        data = np.memmap(path, np.uint8, "r").view(np.ndarray)
        head = read_head(path)
        self.ids_sha256: str = head["ids_sha256"]
        self.source: str = head["source"]
        self._columns: dict[str, Array] = {}
        at = head["begin"]
        for name, kind, length in head["columns"]:
            nbytes = length * np.dtype(kind).itemsize
            self._columns[name] = data[at : at + nbytes].view(kind)
            at += _padded(nbytes)

    def column(self, name: str) -> Array:
        """All values of a column, document after document."""
        return self._columns[name]

    def row(self, name: str, document: int) -> Array:
        """One document's values of a ragged column."""
        ends = self._columns[f"{name} ends"]
        start = int(ends[document - 1]) if document else 0
        return self._columns[name][start : int(ends[document])]

    def id(self, document: int) -> str:
        """A document's identifier."""
        return bytes(self.row("ids", document)[:-1]).decode("utf-8", "surrogatepass")


class Signatures:
    """All shards' signatures in order; a document is known by its place among the documents of all.

    Raises ``InvalidDataError`` where one is not whole or was not made by ``stage`` with its settings.
    """

    def __init__(self, paths: Sequence[Path], stage: Named) -> None:
        self._paths = list(paths)
        heads, settings = [read_head(path) for path in paths], digest(stage)
        for path, head in zip(paths, heads, strict=True):
            if (head["stage"], head["settings_sha256"]) != (stage.name, settings):
                raise InvalidDataError(
                    f"{path} was signed by other settings", "remove it, and its shard is signed again"
                )
        self.starts = np.concatenate([[0], np.cumsum([head["documents"] for head in heads], dtype=np.int64)])
        """Place of each shard's first document, and the number of all."""
        self._mapped: dict[int, Signature] = {}

    def __len__(self) -> int:
        return len(self._paths)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_mapped": {}}

    def opened(self, shard: int) -> Signature:
        """The signature of one shard."""
        if shard not in self._mapped:
            if len(self._mapped) == _MOST_MAPPED:
                del self._mapped[next(iter(self._mapped))]
            self._mapped[shard] = Signature(self._paths[shard])
        return self._mapped[shard]

    def place(self, document: int) -> tuple[Signature, int]:
        """The signature a document stands in, and its place there."""
        shard = int(np.searchsorted(self.starts, document, side="right")) - 1
        return self.opened(shard), document - int(self.starts[shard])

    def row(self, name: str, document: int) -> Array:
        """One document's values of a ragged column."""
        signature, place = self.place(document)
        return signature.row(name, place)

    def id(self, document: int) -> str:
        """A document's identifier, unique within its source."""
        signature, place = self.place(document)
        return signature.id(place)

    def seen_from(self, other: int, document: int) -> str:
        """Identifier of ``other`` as it is told of ``document``: with its source, where that is another."""
        signature, place = self.place(other)
        name = signature.id(place)
        return name if signature.source == self.place(document)[0].source else f"{name} of {signature.source}"


def read_head(path: Path) -> dict[str, Any]:
    """The head of a signature, with where its columns ``begin``.

    Raises ``InvalidDataError`` where the file is not whole.
    """
    with path.open("rb") as file:
        magic, line = file.readline(len(_MAGIC)), file.readline()
    try:
        head = dict(json.loads(line)) if magic == _MAGIC else {}
    except ValueError:
        head = {}
    if set(head) >= _HEAD:
        head["begin"] = len(magic) + len(line)
        sizes = [_padded(length * np.dtype(kind).itemsize) for _, kind, length in head["columns"]]
        if head["begin"] + sum(sizes) == path.stat().st_size:
            return head
    raise InvalidDataError(f"{path} is no whole signature", "remove it, and its shard is signed again")


def id_bytes(identifier: str) -> bytes:
    """An identifier as it is stored and hashed: with its end, so that no two lists of identifiers are alike."""
    return identifier.encode("utf-8", "surrogatepass") + b"\0"


def _padded(nbytes: int) -> int:
    return -(-nbytes // _ALIGNED_BYTES) * _ALIGNED_BYTES
