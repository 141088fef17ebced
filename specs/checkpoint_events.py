"""What a run's record tells of its checkpoints and of the layouts it went through."""

from typing import Literal

from sixnd.specs.document import Document


class CheckpointSaved(Document):
    """A complete checkpoint."""

    kind: Literal["checkpoint"] = "checkpoint"
    attempt: int
    step: int
    """Step after which it was saved."""
    path: str
    """Relative to the run folder."""
    seconds: float
    """Time that training waited for it."""


class CheckpointFailed(Document):
    """A checkpoint that could not be written; what was written of it is removed."""

    kind: Literal["checkpoint-failed"] = "checkpoint-failed"
    attempt: int
    step: int
    """Step after which it was to be saved."""
    reason: str
    """What the file system answered, by rank."""
    ends_run: bool
    """Whether the run ended with it; else it went on, the checkpoint before being the last."""
    time: str | None = None
    """UTC, ISO 8601, when it was written; none in records of before it was told."""


class CheckpointSkipped(Document):
    """A checkpoint that was not as it was written when the run was to go on from it: one before it was looked for."""

    kind: Literal["checkpoint-skipped"] = "checkpoint-skipped"
    attempt: int
    step: int
    """Step of the checkpoint that was not taken."""
    path: str
    """Relative to the run folder."""
    reason: str
    """Which file, and what is wrong with it."""
    time: str | None = None
    """UTC, ISO 8601, when it was written; none in records of before it was told."""


class LayoutChanged(Document):
    """The run goes on with another plan of the same model: another layout, often another number of accelerators."""

    kind: Literal["layout"] = "layout"
    attempt: int
    step: int
    """The last that was done on the layout before."""
    before: str
    """Layout of the attempt before."""
    after: str
    """Layout from this attempt on."""
    ranks_before: int
    """Ranks of the attempt before."""
    ranks_after: int
    """Ranks from this attempt on."""
    plan_sha256_before: str
    """Of the plan that the attempt before trained."""
    plan_sha256_after: str
    """Of the plan from this attempt on."""
    time: str | None = None
    """UTC, ISO 8601, when it was written; none in records of before it was told."""
