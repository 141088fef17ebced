"""One process at a time in a folder."""

import contextlib
import errno
import fcntl
from collections.abc import Iterator
from pathlib import Path

from sixnd.specs.errors import SixndError


@contextlib.contextmanager
def exclusive(path: Path, refusal: str, do: str) -> Iterator[int]:
    """Hold the lock file ``path`` while the block runs; yields its descriptor, and who inherits that holds it, too.

    Raises ``SixndError`` with ``refusal``, and what to ``do``, where another process holds it. On a file system without
    locks nothing is held.
    """
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SixndError(refusal, do) from error
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK):
                raise
        yield lock.fileno()


def is_held(path: Path) -> bool:
    """Whether some process holds the lock file ``path``; on a file system without locks none does."""
    try:
        with path.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
