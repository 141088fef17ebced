"""What a run's record tells of its checkpoints and of the layouts it went through."""

from typing import Literal

from sixnd.specs.document import Document


class CheckpointSaved(Document):
    """A complete checkpoint."""

    kind: Literal["checkpoint"] = "checkpoint"
    attempt: int
    step: int
    path: str
    """Relative to the run folder."""
    seconds: float


class CheckpointFailed(Document):
    """A checkpoint that could not be written; what was written of it is removed."""

    kind: Literal["checkpoint-failed"] = "checkpoint-failed"
    attempt: int
    step: int
    reason: str
    ends_run: bool
    """Whether the run ended with it; else it went on, the checkpoint before being the last."""


class CheckpointSkipped(Document):
    """A checkpoint that was not as it was written when the run was to go on from it: one before it was looked for."""

    kind: Literal["checkpoint-skipped"] = "checkpoint-skipped"
    attempt: int
    step: int
    path: str
    """Relative to the run folder."""
    reason: str
    """Which file, and what is wrong with it."""


class LayoutChanged(Document):
    """The run goes on with another plan of the same model: another layout, often another number of accelerators."""

    kind: Literal["layout"] = "layout"
    attempt: int
    step: int
    """The last that was done on the layout before."""
    before: str
    after: str
    ranks_before: int
    ranks_after: int
    plan_sha256_before: str
    plan_sha256_after: str
