"""Documents of files: JSON lines, Parquet, plain text and WARC, streamed, with source and licence on each.

Damage is noted and passed over. What was read before it stays; nothing is guessed in its place.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sixnd.runner.data.columns import parquet_rows
from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.document import Document
from sixnd.runner.data.streams import DAMAGED, lines, opened
from sixnd.runner.data.warc import warc_pages

LONGEST_BYTES = 32 << 20
"""Longest document or line that is read, 32 MiB: more is noted as damage."""


@dataclass(frozen=True)
class Origin:
    """What all documents of a source share, and under which names their parts stand in records."""

    source: str
    licence: str
    """For documents that do not state their own."""
    text_field: str = "text"
    id_field: str = "id"
    licence_fields: tuple[str, ...] = ("licence", "license")
    language_field: str = "language"
    longest_bytes: int = LONGEST_BYTES

    def document(self, record: dict[str, Any], name: str, offset: int) -> Document:
        """The document of one record with a text, in the file of that name."""
        stated = record.get(self.id_field)
        language = record.get(self.language_field)
        return Document(
            id=f"{name}:{offset}" if stated in (None, "") else str(stated),
            text=record[self.text_field],
            licence=next((str(record[field]) for field in self.licence_fields if record.get(field)), self.licence),
            source=self.source,
            language=language if isinstance(language, str) and language else None,
            path=name,
            offset=offset,
        )


def read_file(path: Path, origin: Origin, damage: DamageLog, name: str) -> Iterator[Document]:
    """Documents of one file, by the ending of its name; what is no known format is one plain text.

    Documents take their identifiers and places from ``name``, which is the same on every machine.
    """
    reader = next((found for ending, found in _READERS.items() if path.name.endswith(ending)), _text)
    try:
        if path.stat().st_size == 0:
            damage.note("empty file", str(path))
            return
        yield from reader(path, name, origin, damage)
    except DAMAGED as error:
        damage.note(_kind_of(error), f"{path}: {error}")


def _kind_of(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "may not be read"
    if isinstance(error, EOFError):
        return "truncated file"
    if isinstance(error, OSError) and error.errno:
        return (error.strerror or "cannot be read").lower()
    return "damaged file"


def _text(path: Path, name: str, origin: Origin, damage: DamageLog) -> Iterator[Document]:
    with opened(path) as stream:
        content = stream.read(origin.longest_bytes + 1)
    if len(content) > origin.longest_bytes:
        damage.note(f"longer than {origin.longest_bytes:,} bytes", str(path))
        return
    text = _decoded(content, str(path), damage)
    if text is not None:
        yield Document(name, text, origin.licence, origin.source, path=name)


def _json_lines(path: Path, name: str, origin: Origin, damage: DamageLog) -> Iterator[Document]:
    with opened(path) as stream:
        for number, line in lines(stream, origin.longest_bytes):
            where = f"{path}:{number}"
            if line is None:
                damage.note(f"longer than {origin.longest_bytes:,} bytes", where)
            elif line.strip():
                record = _record(line, where, damage)
                if _has_text(record, origin, where, damage):
                    assert record is not None
                    yield origin.document(record, name, number)


def _record(line: bytes, where: str, damage: DamageLog) -> dict[str, Any] | None:
    text = _decoded(line, where, damage)
    if text is None:
        return None
    try:
        record = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        damage.note("not JSON", where)
        return None
    if isinstance(record, dict):
        return record
    damage.note("not a JSON object", where)
    return None


def _has_text(record: dict[str, Any] | None, origin: Origin, where: str, damage: DamageLog) -> bool:
    if record is None:
        return False
    text = record.get(origin.text_field)
    if not isinstance(text, str):
        damage.note(f"no text under '{origin.text_field}'", where)
        return False
    if not text:
        damage.note("empty text", where)
        return False
    try:
        text.encode()
    except UnicodeEncodeError:  # JSON can escape half of a surrogate pair, which no tokenizer takes
        damage.note("not Unicode text", where)
        return False
    return True


def _decoded(content: bytes, where: str, damage: DamageLog) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        damage.note("not UTF-8", f"{where}, byte {error.start}")
        return None


def _parquet(path: Path, name: str, origin: Origin, damage: DamageLog) -> Iterator[Document]:
    wanted = [origin.text_field, origin.id_field, *origin.licence_fields, origin.language_field]
    for row, record in parquet_rows(path, wanted):
        where = f"{path}, row {row}"
        if not _has_text(record, origin, where, damage):
            continue
        if len(record[origin.text_field]) > origin.longest_bytes:
            damage.note(f"longer than {origin.longest_bytes:,} bytes", where)
            continue
        yield origin.document(record, name, row)


def _warc(path: Path, name: str, origin: Origin, damage: DamageLog) -> Iterator[Document]:
    for offset, record, text in warc_pages(path, origin.longest_bytes, damage):
        yield Document(record, text, origin.licence, origin.source, path=name, offset=offset)


_READERS: dict[str, Callable[[Path, str, Origin, DamageLog], Iterator[Document]]] = {
    **dict.fromkeys((".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson"), _json_lines),
    ".parquet": _parquet,
    **dict.fromkeys((".warc", ".warc.gz", ".warc.zst"), _warc),
}
