"""Writing a report so that a reader never sees half of one."""

import os
import tempfile
from pathlib import Path


def write_report(text: str, path: Path) -> None:
    """Write ``text`` to ``path`` in one step: the old file stays whole until the new one replaces it.

    The folder must exist and be writable; ``OSError`` tells if not.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(name, _mode())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _mode() -> int:
    """Permissions that a file opened plainly would get (``mkstemp`` gives 0600)."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
