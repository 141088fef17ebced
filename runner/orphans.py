"""A process that ends with the one that started it.

torchrun gives each rank a session of its own and closes the run's lock in it, so ranks whose torchrun was killed would
train on, and write, beside those of the next attempt. Megatron's helper process would stay for ever.
"""

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent() -> None:
    """Have the kernel kill this process as soon as the thread that started it is gone; on Linux, else nothing.

    Where that happens before this call, a rank finds nobody to meet and a helper finds its pipe closed.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
