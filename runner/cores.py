"""How many CPU cores there are to work with."""

import os


def cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0))
