"""What people write down about a run: dated lines beside its record, which the run itself never touches."""

import os
from pathlib import Path
from typing import Literal

from sixnd.specs.document import Document

NOTES = "notes.jsonl"
"""In the run's folder. A file of its own: the record belongs to the processes that train."""


class Note(Document):
    """A remark of a person."""

    kind: Literal["note"] = "note"
    time: str
    """UTC, ISO 8601."""
    attempt: int
    """The last one that was launched when it was written; 0 before the first."""
    step: int
    """The last one that was in the record then."""
    text: str
    """What was written."""


def append_note(folder: Path, note: Note) -> None:
    """Add one line, in one write, so that two people who write at once keep both."""
    line = (note.model_dump_json() + "\n").encode()
    descriptor = os.open(folder / NOTES, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, line)
    except OSError as error:  # which file it was, `write` does not say
        raise OSError(error.errno, error.strerror, str(folder / NOTES)) from error
    finally:
        os.close(descriptor)
