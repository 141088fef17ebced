"""Steps of a preparation told in words, not more often than a person reads."""

import time
from collections.abc import Callable

from sixnd.runner.data.work import step_name

_EVERY_S = 5.0


class StepTeller:
    """Says what is being done when it has taken a while, and how far it is."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._last = time.monotonic()

    def tell(self, step: str, done: int, total: int, seconds: float) -> None:
        """What an executor calls with a step's name, finished tasks, all tasks, and seconds since it began."""
        now = time.monotonic()
        if now - self._last < _EVERY_S or done == 0:
            return
        self._last = now
        left = f", about {seconds / done * (total - done):,.0f} s left" if done < total else ""
        self._say(f"{words(step)}: {done:,} of {total:,} shards{left}")


def words(step: str) -> str:
    """A step's name as a person would say it."""
    name = step_name(step)
    if name.kind == "clean":
        return f"cleaning {name.source}"
    if name.kind == "tokens":
        return f"tokenising {name.source}"
    across = name.source.startswith("across-")
    return "comparing documents across sources" if across else f"comparing documents of {name.source}"
