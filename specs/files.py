"""Writing files so that a reader never sees half of one, and telling by a digest that they are still the same."""

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}", re.DOTALL)  # as `mkstemp` names what `replaced_atomically` asks for


def write_atomically(path: Path, text: str, mode: int | None = None) -> None:
    """Write ``text`` (UTF-8) to ``path`` in one step: the old file stays whole until the new one replaces it.

    The folder must exist and be writable; ``OSError`` tells if not. Without a ``mode`` the file gets the permissions
    of one that is opened plainly.
    """
    with replaced_atomically(path) as temporary:
        temporary.write_bytes(text.encode())
        if mode is not None:
            temporary.chmod(mode)


@contextlib.contextmanager
def replaced_atomically(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends without an error.

    An ``OSError`` of the temporary file names ``path``.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    os.close(handle)
    temporary = Path(name)
    try:
        temporary.chmod(plain_mode())
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.filename in (None, name):
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove_unfinished(folder: Path) -> None:
    """Remove what processes that were killed had written of files in ``folder`` and below; none may write there now."""
    for path in folder.rglob(".*"):
        if _TEMPORARY.fullmatch(path.name) and path.is_file():
            path.unlink()


def plain_mode() -> int:
    """Permissions that a file opened plainly would get (``mkstemp`` gives 0600)."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
