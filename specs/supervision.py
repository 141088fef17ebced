"""What a spec says of watching a run: when it is called ill, and what is then done."""

from typing import Annotated, Literal

from pydantic import Field

from sixnd.specs.document import Document
from sixnd.specs.quantity import WHOLE, Seconds

Action = Literal["warn", "skip", "rollback", "retry", "stop"]
"""`warn` trains on. `skip` does not apply this batch's update. `rollback` goes back to the last checkpoint and skips
the batches between it and here. `retry` goes back and trains on the same batches again, as after a fault of the
machine; a step that is ill again is skipped. `stop` ends the run before the update."""
Factor = Annotated[float, Field(gt=1, allow_inf_nan=False)]


class Supervision(Document):
    """How a run is watched. Nothing here changes a run in which nothing goes wrong."""

    non_finite: Action = "skip"
    """When loss or gradient norm is infinite or no number. `warn` lets it into the weights."""
    loss_spike: Action = "warn"
    """When the loss is above the median of the last `window` applied steps by more than `loss_deviations` deviations
    and by more than 5 %."""
    gradient_spike: Action = "warn"
    """When the gradient norm before clipping is above `gradient_times` times its median over the last `window` applied
    steps."""
    window: Annotated[int, Field(ge=8, le=10_000), WHOLE] = 128
    """Steps that medians are taken over. Nothing is called a spike before a quarter of them are done."""
    loss_deviations: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 10.0
    """Deviations above the median that make a loss spike: 1.4826 times the median absolute deviation, which for normal
    noise is the standard deviation."""
    gradient_times: Factor = 10.0
    """Medians that make a spike of the gradient norm."""
    most_interventions: Annotated[int, Field(ge=1), WHOLE] = 10
    """Skips, rollbacks and retries within `window` steps; the next one stops the run instead, as it no longer
    learns."""
    throughput_share: Annotated[float, Field(gt=0, lt=1)] = 0.7
    """Below this share of the usual speed (medians of the last 8 and the last `window` steps) for 10 s an alarm names
    the rank that got slow."""
    heartbeat: Annotated[Seconds, Field(gt=0)] = 5.0
    """Time between two signs of life of a rank, e.g. `5 s`."""
    hang_steps: Factor = 20.0
    """Median steps without any progress of any rank that make a hang, if they are longer than `hang_floor`."""
    hang_floor: Annotated[Seconds, Field(gt=0)] = 600.0
    """Least time without progress that makes a hang, e.g. `10 min`; three times as long at the start, in
    evaluations and while a checkpoint is written."""
    restarts: Annotated[int, Field(ge=0), WHOLE] = 0
    """Times that `sixnd run` starts the processes again by itself after a rank died or hung."""
    restart_wait: Annotated[Seconds, Field(gt=0)] = 10.0
    """Wait before the first of them; it doubles each time, up to 10 min."""
    time_limit: Annotated[Seconds, Field(gt=0)] | None = None
    """Wall-clock of one start of the training processes, e.g. `23 hours`: they save a checkpoint and end before it.
    The end of a Slurm job is kept to in any case."""
    budget_factor: Factor | None = 1.2
    """A run pauses when it has spent so many times what the spec's budget gives, in any of the currencies it gives, and
    warns so many times above the estimates of the others; `null` never."""
