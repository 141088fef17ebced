"""What the disturbed run must have in common with the undisturbed one: every number of every step, to the bit."""

from collections import Counter

from sixnd.specs.record import End, Mix, RunRecord, Step
from sixnd.specs.run_events import Alarm
from tests.soak.plan import STEPS

Numbers = tuple[float, float, float]


def numbers(step: Step) -> Numbers:
    """Loss, gradient norm and learning rate."""
    return (step.loss, step.grad_norm, step.learning_rate)


def compare(undisturbed: RunRecord, disturbed: RunRecord) -> None:
    """Raise ``AssertionError`` where they differ, a step is missing, or one that was lost was trained otherwise."""
    expected = {step.step: numbers(step) for step in undisturbed.steps()}
    assert sorted(expected) == list(range(1, STEPS + 1))
    assert len(undisturbed.of(Step)) == STEPS, "nothing was repeated there"
    assert {step.step: numbers(step) for step in disturbed.steps()} == expected
    assert all(step.applied for step in disturbed.steps())
    for step in disturbed.of(Step):
        assert not step.applied or numbers(step) == expected[step.step], f"attempt {step.attempt}, step {step.step}"
    retried = Counter(alarm.step for alarm in disturbed.of(Alarm) if alarm.action == "retry")
    assert Counter(step.step for step in disturbed.of(Step) if not step.applied) == retried
    assert _validations(disturbed) == _validations(undisturbed)
    assert disturbed.last(Mix) == undisturbed.last(Mix)
    assert disturbed.last(End).status == "finished"


def check_attempts(record: RunRecord) -> None:
    """Within an attempt each step follows the one before it; but for a retry, which goes back to a checkpoint."""
    back = {(alarm.attempt, alarm.step): alarm.to_step for alarm in record.of(Alarm) if alarm.action == "retry"}
    before: Step | None = None
    for step in record.of(Step):
        if before is not None and before.attempt == step.attempt:
            reached = before.step if before.applied else back[before.attempt, before.step] or before.step - 1
            assert step.step == reached + 1, f"attempt {step.attempt}, step {step.step}"
        before = step


def _validations(record: RunRecord) -> dict[int, float]:
    return {validation.step: validation.loss for validation in record.validations()}
