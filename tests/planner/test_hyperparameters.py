import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.planner.hyperparameters import global_batch, lawful_batch_tokens, lawful_learning_rate
from tests.planner.building import spec


def test_step_law_gives_its_published_values():
    """7B on 1.4T tokens with the rounded constants: 9.166e-4; the batch is within 2 % of 4.997M tokens."""
    assert lawful_learning_rate("step-law-2025", 7e9, 1.4e12) == pytest.approx(9.166e-4, rel=1e-3)
    assert lawful_batch_tokens("step-law-2025", 7e9, 1.4e12) == pytest.approx(4.997e6, rel=0.2)


@given(st.sampled_from([1, 6, 8, 24, 512, 1536]), st.floats(9, 13).map(lambda e: 10**e))
@settings(max_examples=40)
def test_an_automatic_batch_divides_over_the_odd_part_of_the_cluster(count, tokens):
    batch = global_batch(spec({"compute": 1e20}, f"{count} x h100-sxm"), 1e9, tokens)
    odd = count
    while odd % 2 == 0:
        odd //= 2
    assert batch.sequences % odd == 0
    if batch.wanted_tokens > 16 * odd * 4096:
        assert abs(batch.deviation(4096)) <= 0.25


def test_an_automatic_batch_divides_over_pinned_replicas():
    pinned = spec({"compute": 1e20}, "24 x h100-sxm", layout={"data": 12, "micro_batch": 2})
    assert global_batch(pinned, 1e9, 1e11).sequences % 24 == 0
