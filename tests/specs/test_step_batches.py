"""Which samples each step reads, whatever the stages of the batch."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.specs.batch_ramp import PlannedBatch
from sixnd.specs.plan import PlannedTraining
from sixnd.specs.step_batches import StepBatches
from tests.runner import tiny


def staged(stages: list[tuple[int, int]]) -> StepBatches:
    """Stages of so many steps of so many sequences; the last batch is the full one."""
    ends = list(itertools.accumulate(steps for steps, _ in stages))
    planned = [
        PlannedBatch(first_step=end - steps + 1, last_step=end, global_batch=batch)
        for end, (steps, batch) in zip(ends, stages, strict=True)
    ]
    return StepBatches(stages[-1][1], tuple(planned))


STAGES = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 50)), min_size=1, max_size=6)


@given(STAGES, st.floats(0, 2))
def test_every_sample_is_read_by_the_step_that_reaches_it(stages: list[tuple[int, int]], share: float) -> None:
    batches = staged(stages)
    sizes = [batch for steps, batch in stages for _ in range(steps)]
    sizes += [batches.full] * len(sizes)  # steps beyond the last have the full batch
    read = [0, *itertools.accumulate(sizes)]
    assert [batches.of_step(step) for step in range(1, len(sizes) + 1)] == sizes
    assert batches.all_after(range(len(read))) == read
    samples = share * read[len(read) // 2]
    reached = batches.step_reaching(samples)
    assert batches.samples_after(reached) >= samples
    assert reached == 1 or batches.samples_after(reached - 1) < samples


def test_without_stages_every_step_has_the_full_batch() -> None:
    batches = StepBatches(8)
    assert (batches.samples_after(0), batches.samples_after(5), batches.step_reaching(17), batches.sizes) == (
        0, 40, 3, (8,),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ([(1, 3, 2), (4, 6, 4)], "the full batch is taken"),
        ([(1, 3, 2), (5, 6, 8)], "do not follow each other"),
        ([(2, 6, 8)], "do not follow each other"),
        ([(1, 4, 2), (5, 5, 8)], "to the last"),
        ([(1, 3, 2), (4, 2, 4), (3, 6, 8)], "ends before it begins"),
    ],
)
def test_a_plan_whose_stages_are_not_its_steps_is_refused(stages: list[tuple[int, int, int]], said: str) -> None:
    training = tiny.plan(steps=6).training.plain()
    names = ("first_step", "last_step", "global_batch")
    training["batch_stages"] = [dict(zip(names, stage, strict=True)) for stage in stages]
    with pytest.raises(ValueError, match=said):
        PlannedTraining.model_validate(training)
