"""What a stage is: it keeps a document, perhaps changed, or removes it for a reason."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from sixnd.runner.data.document import Document
from sixnd.specs.document import sha256_of


@dataclass(frozen=True, slots=True)
class Kept:
    """The document goes on."""

    document: Document
    edits: dict[str, int] = field(default_factory=dict)
    """How often what was changed in it, e.g. lines cut or addresses replaced."""


@dataclass(frozen=True, slots=True)
class Removed:
    """The document ends here."""

    reason: str
    """The rule that it broke, in a few words that are the same for every document."""
    detail: str = ""
    """What was found and what would have been allowed."""


class Named(Protocol):
    """What a verdict can be traced to."""

    @property
    def name(self) -> str:
        """What reports call it."""

    @property
    def settings(self) -> dict[str, Any]:
        """All that decides what it does, as plain data, files by their SHA-256."""


class Stage(Named, Protocol):
    """One step of a source's preparation."""

    def apply(self, document: Document) -> Kept | Removed:
        """What becomes of one document."""


def digest(stage: Named) -> str:
    """SHA-256 of a stage's settings: stages with equal digests give equal verdicts."""
    return sha256_of({"name": stage.name, "settings": stage.settings})


def above(reason: str, value: float, most: float) -> Removed | None:
    """The removal of what exceeds ``most``; ``None`` where it does not."""
    return Removed(reason, f"{value:.4g}, at most {most:g}") if value > most else None


def below(reason: str, value: float, least: float) -> Removed | None:
    """The removal of what stays under ``least``; ``None`` where it does not."""
    return Removed(reason, f"{value:.4g}, at least {least:g}") if value < least else None
