"""What a run that starts from a trained model leaves in its record of that."""

from typing import Literal

from sixnd.specs.document import Document


class BaseTaken(Document):
    """Training starts from the weights of a base, at step 0 and with a new optimizer."""

    kind: Literal["base"] = "base"
    attempt: int
    name: str
    """Of the base's run and fingerprint, or of its folder."""
    path: str
    """Where its weights were found."""
    step: int | None
    """Of a run: the step after which they were saved."""
    sha256: str
    """Of its checkpoint's manifest, or of all its files, found to be what the plan says."""
    replay: float
    """Share of the training tokens from general sources."""
    general: list[str]
    """Sources that stand for what the base knows."""
