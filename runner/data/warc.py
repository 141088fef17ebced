"""Main text of the HTML pages of a WARC file, by fastwarc and resiliparse."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sixnd.runner.data.damage import DamageLog
from sixnd.specs.errors import SixndError

_HTML = ("text/html", "application/xhtml+xml")


def warc_pages(path: Path, longest_bytes: int, damage: DamageLog) -> Iterator[tuple[int, str, str]]:
    """Byte offset, record id and main text of each HTML response; pages without any text give none."""
    warc, parse, encoding, extract = _libraries(path)
    with path.open("rb") as file:
        records = warc.ArchiveIterator(file, record_types=warc.WarcRecordType.response, parse_http=True)
        for record in records:
            offset, name = record.stream_pos, str(record.record_id)
            stated = record.content_length
            body = record.reader.read(longest_bytes + 1)
            if len(body) < min(stated, longest_bytes):  # fastwarc ends silently where a file is cut off
                raise EOFError(f"record at byte {offset} has {len(body):,} of {stated:,} bytes")
            if not (record.http_content_type or "").startswith(_HTML):
                continue
            if len(body) > longest_bytes:
                damage.note(f"longer than {longest_bytes:,} bytes", f"{path}, byte {offset}")
                continue
            page = parse.HTMLTree.parse_from_bytes(body, record.http_charset or encoding.detect_encoding(body))
            text = extract.extract_plain_text(page, main_content=True, preserve_formatting=True)
            if text.strip():
                yield offset, name, text


def _libraries(path: Path) -> tuple[Any, Any, Any, Any]:
    names = ("fastwarc.warc", "resiliparse.parse.html", "resiliparse.parse.encoding", "resiliparse.extract.html2text")
    try:
        warc, parse, encoding, extract = map(importlib.import_module, names)
    except ImportError as error:
        raise SixndError(f"{path} needs fastwarc and resiliparse: pip install 'sixnd[data]'") from error
    return warc, parse, encoding, extract
