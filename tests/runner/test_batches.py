import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from megatron.core.datasets import helpers

from sixnd.runner.batches import StepSampler, _surplus
from tests.runner import tiny


@given(data=st.sampled_from([1, 2, 4]), micro=st.sampled_from([1, 2]), first=st.integers(1, 5), count=st.integers(1, 4))
def test_a_steps_sequences_do_not_depend_on_the_layout(data: int, micro: int, first: int, count: int) -> None:
    plan = tiny.plan(tiny.layout(data=data, micro_batch=micro), steps=20)
    last = first + count - 1
    samplers = [StepSampler(plan, rank, first, last) for rank in range(data)]
    dealt = [list(sampler) for sampler in samplers]
    assert all(len(batches) == len(sampler) for batches, sampler in zip(dealt, samplers, strict=True))
    per_step = len(dealt[0]) // count
    for step in range(first, last + 1):
        own = slice((step - first) * per_step, (step - first + 1) * per_step)
        together = sorted(i for batches in dealt for batch in batches[own] for i in batch)
        assert together == list(range((step - 1) * tiny.BATCH, step * tiny.BATCH))


def test_a_resumed_sampler_goes_on_where_the_first_would_have_been() -> None:
    plan = tiny.plan(tiny.layout(data=2), steps=20)
    whole = list(StepSampler(plan, 1, 1, 9))
    assert list(StepSampler(plan, 1, 5, 9)) == whole[-len(StepSampler(plan, 1, 5, 9)) :]


@settings(max_examples=200, deadline=None)
@given(
    weights=st.lists(st.floats(0.001, 1.0), min_size=2, max_size=12),
    samples=st.integers(8, 3000),
)
def test_the_blend_never_asks_a_source_for_more_than_was_built(weights: list[float], samples: int) -> None:
    shares = [weight / sum(weights) for weight in weights]
    surplus = _surplus(shares, samples)
    sources, index = np.zeros(samples, dtype=np.int16), np.zeros(samples, dtype=np.int64)
    helpers.build_blending_indices(sources, index, shares, len(shares), samples, False)
    drawn = np.bincount(sources, minlength=len(shares))
    # Megatron builds ceil(ceil(size · share) · (1 + surplus)) samples of each source.
    built = [np.ceil(np.ceil(samples * share) * (1 + surplus)) for share in shares]
    assert all(drawn <= built)
