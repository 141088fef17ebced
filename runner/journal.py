"""Appending to a run's record."""

import os
from pathlib import Path
from typing import IO

from sixnd.runner.provenance import now
from sixnd.specs.document import Document
from sixnd.specs.record import event_line


def open_record(path: Path) -> IO[str]:
    """Open the record for appending; a last line that a kill tore in two is cut off first."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        os.ftruncate(descriptor, content.rfind(b"\n") + 1)
    return os.fdopen(descriptor, "a", encoding="utf-8")


def append_event(path: Path, event: Document) -> None:
    """Append one event and close the record again."""
    with open_record(path) as record:
        record.write(event_line(dated(event)))


def dated(event: Document) -> Document:
    """The event with the time of its writing, where it has a place for one and none yet."""
    return event.model_copy(update={"time": now()}) if getattr(event, "time", "") is None else event
