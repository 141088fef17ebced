import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.planner.flops import training_flops_per_token
from sixnd.planner.steptime import step_time, time_terms
from tests.planner.building import LLAMA_3_8B, LLAMA_3_70B, LLAMA_3_405B, layout, layouts, machine

ROWS = layouts(
    *(
        layout(t, p, 64 // (t * p), virtual_pipeline=v, micro_batch=b)
        for t in (1, 2, 8)
        for p, v in ((1, 1), (4, 1), (4, 5))
        for b in (1, 4)
    )
)


def seconds(one):
    return sum(one.plain().values())


def with_accelerator(base, **changes):
    return dataclasses.replace(base, accelerator=base.accelerator.model_copy(update=changes))


@pytest.mark.parametrize("field", ["scale_up_bytes_per_s", "network_bytes_per_s", "memory_bytes_per_s"])
@given(slower=st.floats(0.01, 1.0))
def test_time_never_falls_with_a_slower_link(field, slower):
    fast = machine()
    slow = with_accelerator(fast, **{field: getattr(fast.accelerator, field) * slower})
    before, after = (time_terms(LLAMA_3_70B, ROWS, m, 512).total for m in (fast, slow))
    assert np.all(after >= before * (1 - 1e-12))


@given(st.sampled_from([1, 2, 8]), st.sampled_from([1, 4]), st.sampled_from([8, 16]))
def test_no_step_is_faster_than_its_flops_at_peak(tensor, pipeline, micro_batches):
    m, data = machine(), 64 // (tensor * pipeline)
    batch = data * micro_batches
    found = seconds(step_time(LLAMA_3_8B, layout(tensor, pipeline, data), m, batch))
    floor = batch * LLAMA_3_8B.sequence * training_flops_per_token(LLAMA_3_8B) / (64 * m.planned.peak_flops)
    assert found > floor


def test_recomputation_costs_about_a_forward_pass():
    none, part, full = (
        step_time(LLAMA_3_8B, layout(1, 1, 8, recompute=r, recompute_layers=n), machine("8 x h100-sxm"), 64)
        for r, n in (("none", 0), ("full", 16), ("full", 0))
    )
    assert none.compute < part.compute < full.compute
    assert full.compute / none.compute == pytest.approx(4 / 3, abs=0.05)


def test_the_bubble_shrinks_with_micro_batches_and_chunks():
    """(p − 1)/m of the busy time with equal stages, and a v-th of it when interleaved (Narayanan et al. 2021, §2.2)."""
    equal = LLAMA_3_70B.with_vocab(8)
    plain, woven = (step_time(equal, layout(8, 4, 2, virtual_pipeline=v), machine(), 64) for v in (1, 5))
    busy = plain.compute + plain.tensor_parallel + plain.overhead
    assert plain.pipeline_bubble / busy == pytest.approx(3 / 32, rel=0.01)
    assert woven.pipeline_bubble == pytest.approx(plain.pipeline_bubble / 5)


def test_llama_3_405b_is_near_its_published_mfu():
    """BF16 MFU 0.41 on 16,384 H100, TP 8, PP 16, DP 128, 2,048 sequences (Grattafiori et al. 2024, table 4)."""
    m = machine("16384 x h100-sxm")
    one = layout(8, 16, 128, virtual_pipeline=4, embedding_as_layer=True)
    found = seconds(step_time(LLAMA_3_405B, one, m, 2048))
    mfu = 2048 * 8192 * training_flops_per_token(LLAMA_3_405B) / (16384 * m.planned.peak_flops * found)
    assert 0.35 < mfu < 0.45


def test_ranks_of_a_shared_host_do_not_add_speed():
    alone = step_time(LLAMA_3_8B, layout(), machine("1 x cpu-2core"), 8)
    eight = step_time(LLAMA_3_8B, layout(2, 2, 2), machine("8 x cpu-2core"), 8)
    assert seconds(eight) > seconds(alone)
    assert eight.pipeline_bubble == 0
