"""Writing files so that a reader never sees half of one."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


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
    """A temporary path beside ``path`` that takes its place when the block ends without an error."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        temporary.chmod(_plain_mode())
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _plain_mode() -> int:
    """Permissions that a file opened plainly would get (``mkstemp`` gives 0600)."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
