import math
from types import SimpleNamespace

import pytest
import torch

from sixnd.runner import attention
from sixnd.runner.attention import FusedCoreAttention, Norm

CONFIG = SimpleNamespace(attention_dropout=0.0, context_parallel_size=1)


@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2), (6, 1)])
def test_fused_attention_is_causal_softmax_attention(heads: int, kv_heads: int) -> None:
    torch.manual_seed(0)
    length, batch, width = 11, 3, 8
    query = torch.randn(length, batch, heads, width)
    key, value = torch.randn(2, length, batch, kv_heads, width)
    fused = FusedCoreAttention(CONFIG)(query, key, value, None)

    expected = torch.empty(length, batch, heads, width)
    for b in range(batch):
        for head in range(heads):
            group = head // (heads // kv_heads)
            scores = query[:, b, head] @ key[:, b, group].T / math.sqrt(width)
            scores = scores.masked_fill(torch.ones(length, length).triu(1).bool(), float("-inf"))
            expected[:, b, head] = scores.softmax(-1) @ value[:, b, group]
    assert fused.shape == (length, batch, heads * width)
    torch.testing.assert_close(fused, expected.reshape(length, batch, heads * width))


def test_a_softmax_scale_stands_in_for_one_over_the_root_of_the_head_dimension() -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 5, 2, 4, 16)
    plain = FusedCoreAttention(CONFIG)
    scaled = FusedCoreAttention(CONFIG, softmax_scale=1 / 16)
    torch.testing.assert_close(scaled(query, key, value), plain(query / 4, key, value))
    assert not torch.allclose(scaled(query, key, value), plain(query, key, value))


@pytest.mark.parametrize("ranks", [2, 4])
def test_context_parallel_ranks_together_attend_as_one(ranks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 8 * ranks, 2, 4, 16)
    shares = [torch.cat([chunks[r], chunks[-1 - r]]) for chunks in [query.chunk(2 * ranks)] for r in range(ranks)]
    config = SimpleNamespace(attention_dropout=0.0, context_parallel_size=ranks)
    monkeypatch.setattr(attention, "_whole_sequence", lambda share: share)  # keys and values are whole here
    whole = FusedCoreAttention(CONFIG)(query, key, value).chunk(2 * ranks)
    for rank, share in enumerate(shares):
        monkeypatch.setattr(attention.parallel_state, "get_context_parallel_rank", lambda rank=rank: rank)
        found = FusedCoreAttention(config)(share, key, value)
        torch.testing.assert_close(found, torch.cat([whole[rank], whole[-1 - rank]]))


def test_the_norm_marks_its_weight_for_the_sum_over_tensor_parallel_ranks() -> None:
    for sequence_parallel in (False, True):
        norm = Norm(SimpleNamespace(sequence_parallel=sequence_parallel), 16, eps=1e-5)
        assert norm.weight.sequence_parallel is sequence_parallel
