"""Evaluation items as text: what a document must not give away."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sixnd.runner.data.damage import DamageLog
from sixnd.runner.data.files import files_of
from sixnd.runner.data.streams import DAMAGED, lines, opened
from sixnd.specs.errors import InvalidDataError, SixndError
from sixnd.specs.text_filters import Decontaminate

_RECORDS = (".jsonl", ".jsonl.gz", ".jsonl.zst")
_LONGEST_BYTES = 16 << 20


def evaluation_items(settings: Decontaminate, base_dir: Path) -> Iterator[tuple[str, str]]:
    """All items, by file and line: an identifier, such as ``gsm8k/test.jsonl/17``, and all text of the item.

    Raises ``SixndError`` where no file is named or found, ``InvalidDataError`` where one cannot be read.
    """
    if not settings.evaluation:
        raise SixndError("decontaminate needs the evaluation sets", "name their files in `evaluation`")
    for pattern in settings.evaluation:
        paths = files_of(pattern, base_dir, DamageLog())
        if not paths:
            raise SixndError(
                f"decontaminate: no file matches '{pattern}' in {base_dir}", "name files that are there in `evaluation`"
            )
        for path in sorted(paths):
            name = path.relative_to(base_dir).as_posix() if path.is_relative_to(base_dir) else path.name
            yield from _items_of(path, name, settings.text_fields)


def _items_of(path: Path, name: str, fields: list[str]) -> Iterator[tuple[str, str]]:
    try:
        if not path.name.endswith(_RECORDS):
            yield name, path.read_text("utf-8")
            return
        with opened(path) as stream:
            for number, line in lines(stream, _LONGEST_BYTES):
                if line is None or line.strip():
                    yield f"{name}/{number}", _item_text(json.loads(line or b""), fields)
    except (*DAMAGED, ValueError) as error:
        said, do = (error.said, error.do) if isinstance(error, SixndError) else (str(error), "write one object a line")
        raise InvalidDataError(f"{path} cannot be read as evaluation items: {said}", do) from error


def _item_text(record: Any, fields: list[str]) -> str:
    """All text of the fields that a record has, lists and tables in them included."""
    if not isinstance(record, dict):
        raise InvalidDataError("a line is not a JSON object", "write one a line")
    present = [field for field in fields if field in record]
    if not present:
        raise InvalidDataError(
            f"an item has none of the text_fields {', '.join(fields)}", f"name some of {', '.join(record)}"
        )
    return "\n".join(text for field in present for text in _texts(record[field]))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)
