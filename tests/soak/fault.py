"""What a fault is to the soak."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.soak.disk import SmallDisk
from tests.soak.run import Run


@dataclass(frozen=True)
class Fault:
    """Something that is done to a run that trains, and what must come of it."""

    name: str
    done: str
    """What is done, in words."""
    became: str
    """What the run must do, as ``act`` asserts."""
    act: Callable[[Run, SmallDisk], None]
    rules: Callable[[Run], dict[str, Any]] = lambda _run: {}
    """With which the run must be started before."""
    code: int | None = None
    """With which `sixnd run` then ends; none where it goes on."""
    told: str = ""
    """What the next start must tell."""
