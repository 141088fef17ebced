"""Real runs that do a step again because it was ill."""

from pathlib import Path

import pytest

from sixnd.specs.run_events import Alarm
from tests.runner.supervised import EVERY, STEPS, losses, plan, run


@pytest.mark.integration
@pytest.mark.parametrize(("step", "saved"), [(6, EVERY), (2, None)], ids=["from a checkpoint", "before the first"])
def test_a_step_that_is_ill_again_is_skipped_and_all_else_is_as_without_the_retry(
    faulty, tmp_path: Path, step: int, saved: int | None
) -> None:
    faulty(f"nan:{step}")
    record = run(plan(non_finite="retry"), tmp_path)
    alarms = [(alarm.step, alarm.action, alarm.to_step) for alarm in record.of(Alarm)]
    assert alarms == [(step, "retry", saved), (step, "skip", None)]
    assert [each.step for each in record.steps()] == list(range(1, STEPS + 1))
    assert [each.step for each in record.steps() if not each.applied] == [step]
    assert losses(record) == losses(run(plan(non_finite="skip"), tmp_path / "skipped"))
