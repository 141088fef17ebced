"""A batch that grows: what is read, learnt from, counted and watched."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sixnd.runner.batches import StepSampler
from sixnd.runner.job import JobFolder
from sixnd.runner.progress import Progress
from sixnd.runner.supervision.alarms import ThroughputRule
from sixnd.runner.supervision.limits import spent_so_far
from sixnd.runner.supervision.slowness import ComputeTimes
from sixnd.runner.trainer import Trainer
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord, Step
from sixnd.specs.supervision import Supervision
from sixnd.status import status_of
from tests.runner import alone, tiny
from tests.runner.ramped import ramped
from tests.specs.test_record import step

STAGES = ((3, 2), (2, 4), (4, 8))


@given(
    stages=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 6)), min_size=1, max_size=5),
    data=st.sampled_from([1, 2, 3]),
    micro=st.integers(1, 3),
    resumed=st.floats(0, 1),
)
def test_every_sample_is_read_once_and_in_order_whatever_the_layout_and_the_resume(
    stages: list[tuple[int, int]], data: int, micro: int, resumed: float
) -> None:
    per_round = data * micro
    plan = ramped(tiny.plan(tiny.layout(data=data, micro_batch=micro)), [(n, b * per_round) for n, b in stages])
    steps, batches = plan.training.steps, plan.training.batches
    cut = 1 + round(resumed * (steps - 1))
    for spans in ([(1, steps)], [(1, cut), (cut + 1, steps)]):
        read: list[int] = []
        for first, last in spans:
            samplers = [StepSampler(batches, plan.layout, rank, first, last) for rank in range(data)]
            dealt = [list(sampler) for sampler in samplers]
            assert [len(each) for each in dealt] == [len(sampler) for sampler in samplers]
            read += [sample for together in zip(*dealt, strict=True) for part in together for sample in part]
        assert read == list(range(batches.samples_after(steps)))
    assert plan.data.tokens == len(read) * plan.model.sequence_length


def recorded(plan: Plan, number: int, seconds: float) -> Step:
    made = step(number)
    return made.model_copy(update={"step_time_s": seconds, "tokens": plan.tokens_after(number)})


def test_what_is_left_and_what_is_spent_are_counted_by_samples(tmp_path: Path) -> None:
    plan = ramped(tiny.plan(), STAGES)
    done = [recorded(plan, number, seconds) for number, seconds in ((1, 2.0), (2, 2.0), (3, 2.0), (4, 4.0))]
    record = RunRecord(events=list(done))
    told = status_of(record, "name/0123abcd", plan.training.steps, plan.training.batches, 1.0)
    assert told.eta_s == pytest.approx((46 - 10) * 1.0), "a second for each of the sequences that are left"
    progress = Progress(JobFolder(tmp_path), plan, live=True)
    progress.recent = [(2.0, 2), (4.0, 4)]
    assert " 22%" in progress.line(done[-1])
    assert "0:36 left" in progress.line(done[-1])
    assert spent_so_far(plan, record).flops == 10 * plan.model.sequence_length * 6 * plan.model.active_params


def test_a_larger_batch_is_no_drop_of_speed_and_a_slow_node_after_it_is() -> None:
    rule = ThroughputRule(Supervision(window=16))
    told = [rule.judge(seconds, batch) for seconds, batch in [(1.0, 2)] * 20 + [(4.0, 8)] * 20 + [(9.0, 8)] * 8]
    assert [i for i, finding in enumerate(told) if finding is not None] == [44], (
        "slow at step 43, for ten seconds at the next"
    )
    assert rule.step_s(16) == pytest.approx(2 * rule.step_s(8))
    times = ComputeTimes(window=16)
    for seconds, batch in [(1.0, 2)] * 12 + [(4.0, 8)] * 3:
        recent, usual = times.add(seconds, batch)
    assert recent == usual == 4.0, "no rank is slow because the batch grew"


def rates(plan: Plan, folder: Path) -> list[float]:
    with alone.one_rank(folder):
        trainer, found = Trainer(plan), []
        for number in range(1, plan.training.steps + 1):
            found.append(trainer.learning_rate())
            trainer.scheduler.step(increment=1)
            del number
    return found


def test_the_learning_rate_is_the_schedules_or_goes_with_the_square_root_of_the_batch(tmp_path: Path) -> None:
    plain = ramped(tiny.plan(tiny.layout(), steps=9), STAGES, decay_steps=7)
    steady = rates(tiny.plan(tiny.layout(), steps=9), tmp_path / "steady")
    assert rates(plain, tmp_path / "plain") == steady
    rooted = rates(ramped(plain, STAGES, ramp_learning_rate="square-root"), tmp_path / "root")
    shares = [math.sqrt(batch / 8) for count, batch in STAGES for _ in range(count)]
    assert rooted == pytest.approx([rate * share for rate, share in zip(steady, shares, strict=True)], rel=1e-12)


def test_a_step_learns_from_its_own_batch_alone(tmp_path: Path) -> None:
    """Its gradient is that of the mean loss of so many sequences, however many micro-batches they are."""
    plan = ramped(tiny.plan(tiny.layout(micro_batch=2)), STAGES)
    whole = alone.text(plan)
    with alone.one_rank(tmp_path / "one"):
        for batch in (2, 4, 8):
            found = []
            for size in (2, batch):
                made = plan.model_copy(update={"layout": tiny.layout(micro_batch=size)})
                parts = [{name: each[i : i + size] for name, each in whole.items()} for i in range(0, batch, size)]
                torch.manual_seed(1)
                found.append(Trainer(made).step([iter(parts)], global_batch=batch)[:2])
            assert found[0] == pytest.approx(found[1], rel=1e-5)
