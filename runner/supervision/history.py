"""What a run's record says of the steps before a checkpoint, so that a resumed run judges as the first one did."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sixnd.specs.record import RunRecord, Step
from sixnd.specs.run_events import Alarm


@dataclass(frozen=True)
class Skipped:
    """Steps whose batches are not trained on because the run was rolled back over them."""

    after: int
    """Step of the checkpoint that was gone back to."""
    to: int
    """Last of the steps."""


@dataclass
class History:
    """Steps and interventions so far."""

    skipped: list[Skipped]
    interventions: list[int]
    """Steps that were skipped, rolled back from or retried, ascending, each once."""
    retried: set[int] = field(default_factory=set)
    """Steps that have had their second chance."""

    def past(self, step: int) -> int:
        """The step itself, or where it is within steps that are skipped, the last of those."""
        ends = [part.to for part in self.skipped if part.after <= step < part.to]
        return self.past(max(ends)) if ends else step

    def intervene(self, step: int, rolled_back_to: int | None) -> None:
        """Note what was done at a step."""
        self.interventions = sorted({*self.interventions, step})
        if rolled_back_to is not None:
            self.skipped.append(Skipped(rolled_back_to, step))

    def retry(self, step: int) -> None:
        """Note that a step, and those since the last checkpoint, are done again."""
        self.intervene(step, None)
        self.retried.add(step)

    def recent_interventions(self, step: int, window: int) -> int:
        """Interventions in the ``window`` steps before ``step``."""
        return sum(step - window <= at < step for at in self.interventions)


def history_of(record: RunRecord, resumed: int) -> History:
    """What was done at alarms: rollbacks and retries ever, and the skips up to the step that is resumed from.

    Skips after it are done anew, in the same way, as the steps are. Rollbacks are not, their steps are skipped at once;
    nor are retries, which each step has once.
    """
    alarms = [alarm for alarm in record.of(Alarm) if alarm.action in ("skip", "rollback", "retry")]
    rolled = {(alarm.to_step, alarm.step) for alarm in alarms if alarm.action == "rollback"}
    retried = {alarm.step for alarm in alarms if alarm.action == "retry"}
    skipped = [Skipped(after, to) for after, to in sorted(rolled)]
    before = {alarm.step for alarm in alarms if alarm.step <= resumed}
    return History(skipped, sorted(before | {part.to for part in skipped} | retried), retried)


def applied_steps(record: RunRecord, after: int, to: int) -> Iterator[Step]:
    """The steps after ``after`` up to ``to`` that passed as right, in order; also those that were rolled back later."""
    return (step for step in record.steps() if after < step.step <= to and step.applied)
