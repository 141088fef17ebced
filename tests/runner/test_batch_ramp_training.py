"""Real trainings whose batch grows: resumed within a stage and at a switch, and on other layouts."""

import pytest

from sixnd.runner.checkpoints.files import folder_name
from sixnd.specs.plan import Plan
from sixnd.specs.record import Mix, RunRecord
from tests.runner import tiny
from tests.runner.conftest import Train, sources
from tests.runner.ramped import ramped

pytestmark = pytest.mark.integration

STAGES = ((3, 2), (2, 4), (3, 8))
LAYOUTS = {"DP2": {"data": 2}, "TP2-PP2": {"tensor": 2, "pipeline": 2, "virtual_pipeline": 2}}


def plan(**degrees: object) -> Plan:
    made = tiny.plan(tiny.layout(**degrees), sources=sources(12), checkpoint_every=1, keep_last=9, learning_rate=3e-3)
    return ramped(made, STAGES, decay_steps=6)


def curve(record: RunRecord, after: int = 0) -> list[tuple[float, float, float]]:
    return [(s.loss, s.grad_norm, s.learning_rate) for s in record.steps() if s.step > after]


def test_a_growing_batch_is_resumed_to_the_bit_and_alike_on_every_layout(train: Train) -> None:
    path, record = train(plan(), "whole")
    planned = plan()
    steps = record.steps()
    assert [step.tokens for step in steps] == [planned.tokens_after(step.step) for step in steps]
    assert steps[-1].tokens == planned.data.tokens
    assert sum(record.last(Mix).sequences.values()) == planned.training.batches.samples_after(8)
    each = [round(step.tokens_per_s * step.step_time_s) for step in steps]
    assert each == [batch * tiny.LENGTH for count, batch in STAGES for _ in range(count)]

    for after in (2, 3):  # within a stage, and where the batch changes
        _, resumed = train(planned, f"resumed-{after}", path / "checkpoints" / folder_name(after))
        assert curve(resumed) == curve(record, after), "to the last bit"

    for name, degrees in LAYOUTS.items():
        _, other = train(plan(**degrees), name, path / "checkpoints" / folder_name(2))
        for found, expected in zip(curve(other), curve(record, 2), strict=True):
            assert found == pytest.approx(expected, rel=1e-5), name
