"""Events of a run's record that tell of what was watched, what was done about it, and what was spent."""

from typing import Annotated, Literal

from pydantic import Field

from sixnd.specs.document import Document

Counted = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""A whole number that fits 64 bits, as columns of many hold it."""
Rule = Literal["non-finite", "loss-spike", "gradient-spike", "throughput", "hang", "budget"]


class Alarm(Document):
    """Something was wrong, and what was done."""

    kind: Literal["alarm"] = "alarm"
    attempt: Counted
    step: Counted
    """In which it showed."""
    rule: Rule
    """Rule of the spec's `supervision` that it is judged by."""
    value: float
    """What was measured; in the unit of the rule's threshold."""
    threshold: float
    """What the value was held against."""
    action: Literal["warn", "skip", "rollback", "retry", "stop", "pause", "end"]
    """What was done, which may be less than was asked (`skip` where there is no checkpoint to roll back to); `end` of a
    hang: the processes were ended."""
    message: str
    """What happened, as a sentence."""
    to_step: Counted | None = None
    """The checkpoint that was taken. Of a rollback the batches of the steps after it, up to `step`, are skipped; of a
    retry they are trained on again, and where there is none those of `step` alone."""
    time: str | None = None
    """UTC, ISO 8601, when it was written; none in records of before it was told."""


class Started(Document):
    """The training processes are ready for their first step: imported, met, model and data built, checkpoint taken."""

    kind: Literal["started"] = "started"
    attempt: Counted
    step: Counted
    """The one that is gone on from; 0 for a fresh start."""
    seconds: float
    """Since the launch, whose time is told to the second."""


class Paused(Document):
    """The run ended before its last step, with a checkpoint where one could be written: it was asked to or had to."""

    kind: Literal["paused"] = "paused"
    attempt: int
    step: int
    """Last step done."""
    reason: str
    """Why it paused."""
    unsaved: str | None = None
    """Why no checkpoint of the step could be written; none where one was."""


class Spent(Document):
    """What the run had spent by a step, over all attempts."""

    kind: Literal["spent"] = "spent"
    attempt: int
    step: int
    """Up to this step."""
    flops: float
    """Of all steps, those that were repeated too, counted as the budget counts them."""
    accelerator_hours: float
    """Wall-clock of all attempts times the accelerators held."""
    money_usd: float
    """Cost at the plan's price."""
    time_s: float
    """Wall-clock of all attempts."""
