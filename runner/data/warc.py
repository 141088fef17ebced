"""Main text of the HTML pages of a WARC file, by fastwarc and resiliparse."""

import gzip
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.html import main_text
from sixnd.specs.errors import SixndError

_HTML = ("text/html", "application/xhtml+xml")
_SKIP_BYTES = 1 << 20


def warc_pages(path: Path, longest_bytes: int, damage: DamageLog) -> Iterator[tuple[int, str, str]]:
    """Byte offset, record id and main text of each HTML response; pages without any text give none.

    Records of every type are read to their ends: fastwarc stops silently where a file is cut off, and where what
    follows is no record.
    """
    warc = _library(path)
    offset = 0
    with path.open("rb") as file:
        for record in warc.ArchiveIterator(file, parse_http=True):
            offset = record.stream_pos
            body = _body(record, longest_bytes)
            response = record.record_type == warc.WarcRecordType.response
            if not response or not (record.http_content_type or "").startswith(_HTML):
                continue
            where = f"{path}, byte {offset}"
            if len(body) > longest_bytes:
                damage.note(f"longer than {longest_bytes:,} bytes", where)
                continue
            text = _text(body, record.http_charset, where, damage)
            if text.strip():
                yield offset, str(record.record_id), text
    _check_end(path, offset)


def _check_end(path: Path, last: int) -> None:
    """Raise ``EOFError`` unless the file ends with the record at byte ``last``."""
    if path.suffix not in (".warc", ".gz"):
        return
    with path.open("rb") as file:
        file.seek(last)
        stream: Any = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
        left = 0
        while (line := stream.readline(_SKIP_BYTES)).strip():
            name, _, value = line.partition(b":")
            left = int(value) if name.lower() == b"content-length" and value.strip().isdigit() else left
        while left > 0 and (read := len(stream.read(min(left, _SKIP_BYTES)))):
            left -= read
        if not line or stream.read(_SKIP_BYTES).strip():
            raise EOFError(f"ends within the head of a record, at byte {last} or after")


def _body(record: Any, longest_bytes: int) -> bytes:
    """The record's first bytes, up to one more than ``longest_bytes``; ``EOFError`` where it is cut off."""
    stated = record.content_length
    body: bytes = record.reader.read(longest_bytes + 1)
    read = len(body)
    while read < stated and (more := len(record.reader.read(_SKIP_BYTES))):
        read += more
    if read < stated:
        raise EOFError(f"record at byte {record.stream_pos} has {read:,} of {stated:,} bytes")
    return body


def _text(body: bytes, charset: str | None, where: str, damage: DamageLog) -> str:
    try:
        return main_text(body, charset)
    except OSError as error:
        damage.note("not HTML that can be parsed", f"{where}: {error}")
        return ""


def _library(path: Path) -> Any:
    try:
        return importlib.import_module("fastwarc.warc")
    except ImportError as error:
        raise SixndError(f"{path} needs fastwarc and resiliparse", "pip install 'sixnd[data]'") from error
