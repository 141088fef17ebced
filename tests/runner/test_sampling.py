"""How the next token is drawn."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from sixnd.runner.sample import Sampling, continuation

VOCABULARY = 20


def logits(ids: list[int]) -> torch.Tensor:
    """Some that depend on all that was written; the end of a document is never the likeliest."""
    generator = torch.Generator().manual_seed(sum(ids) * 31 + len(ids))
    found = torch.randn(VOCABULARY, generator=generator)
    found[0] = -5.0
    return found


@given(seed=st.integers(0, 1000), temperature=st.floats(0, 3), top_p=st.floats(0, 1))
def test_the_same_seed_writes_the_same(seed, temperature, top_p):
    sampling = Sampling(tokens=8, temperature=temperature, top_p=top_p, seed=seed)
    assert continuation(logits, [3], sampling) == continuation(logits, [3], sampling)


def test_another_seed_writes_something_else():
    assert len({tuple(continuation(logits, [3], Sampling(tokens=8, seed=seed))) for seed in range(20)}) > 10


def test_without_temperature_and_with_no_share_the_likeliest_token_is_taken():
    expected: list[int] = []
    for _ in range(8):
        expected.append(int(logits([3, *expected]).argmax()))
    assert continuation(logits, [3], Sampling(tokens=8, temperature=0.0)) == expected
    assert continuation(logits, [3], Sampling(tokens=8, top_p=0.0)) == expected


@given(seed=st.integers(0, 500))
def test_only_tokens_of_the_share_are_drawn(seed):
    chances = torch.tensor([0.0, 0.4, 0.3, 0.2, 0.1]).log()
    assert set(continuation(lambda _ids: chances, [1], Sampling(4, top_p=0.6, seed=seed, temperature=1.0))) <= {1, 2}


def test_the_end_of_a_document_ends_the_text_where_one_document_is_wanted():
    def ending(ids: list[int]) -> torch.Tensor:
        return torch.eye(VOCABULARY)[0 if len(ids) == 3 else 5] * 1000

    assert continuation(ending, [5], Sampling(tokens=6)) == [5, 5]
    assert continuation(ending, [5], Sampling(tokens=6, one_document=False)) == [5, 5, 0, 5, 5, 5]
