import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.planner.candidates import stage_kinds
from sixnd.planner.memory import memory_terms, peak_memory
from sixnd.planner.stage import Stage, in_flight
from sixnd.planner.stage_memory import MOMENTS, fullest, stages
from sixnd.planner.stage_params import rank_params
from sixnd.planner.transformer import Transformer
from tests.planner.building import (
    LLAMA_2_7B,
    LLAMA_3_8B,
    LLAMA_3_70B,
    LLAMA_3_405B,
    layout,
    layouts,
    machine,
    published,
)
from tests.planner.splitting import MODULE_SETS, models_and_splits

DENSE = [LLAMA_3_8B, LLAMA_3_70B]
WITH_EXPERTS = [published(name, 8192) for name in ("mixtral-8x7b", "qwen-3-30b-a3b", "deepseek-v3")]
MODELS = st.sampled_from([*DENSE, *WITH_EXPERTS])
FAMILIES = ("gpt-3-175b", "gemma-3-27b", "llama-3-405b", "mixtral-8x7b", "deepseek-v2", "deepseek-v3")
degrees = st.sampled_from([1, 2, 8])
micro_batches = st.sampled_from([1, 2, 4])


def total(model, *rows, batch=512):
    return memory_terms(model, layouts(*rows), machine(), batch).total


def even(model, tensor, pipeline, data, **parts):
    """A layout whose stages hold the same number of layers: DeepSeek-V3's 61 with embedding, head and MTP."""
    return layout(tensor, pipeline, data, embedding_as_layer=model.layers == 61, **parts)


def never_rises(found):
    return bool(np.all(np.diff(found) <= 1e-9 * found[1:]))


@given(MODELS, micro_batches, st.sampled_from([1, 2, 4]))
def test_memory_never_rises_with_tensor_parallelism(model, micro_batch, pipeline):
    rows = [even(model, t, pipeline, 16, micro_batch=micro_batch, sequence_parallel=t > 1) for t in (1, 2, 4, 8)]
    assert never_rises(total(model, *rows))


@given(MODELS, micro_batches, degrees)
def test_memory_never_rises_with_pipeline_parallelism(model, micro_batch, tensor):
    rows = [even(model, tensor, p, 16, micro_batch=micro_batch) for p in (1, 2, 4, 8)]
    assert never_rises(total(model, *rows))


@given(MODELS, degrees, st.sampled_from([1, 2, 4]))
def test_memory_never_rises_with_context_parallelism(model, tensor, pipeline):
    """But for the kernel's own copy of its output, which the first step of it brings, less than what it saves."""
    rows = [even(model, tensor, pipeline, 16, context=c) for c in (1, 2, 4, 8)]
    assert never_rises(total(model, *rows))


@given(st.sampled_from(WITH_EXPERTS), degrees, st.sampled_from([1, 2, 4]))
def test_memory_never_rises_with_expert_parallelism(model, tensor, pipeline):
    rows = [even(model, tensor, pipeline, 16, expert=e) for e in (1, 2, 4, 8)]
    assert never_rises(total(model, *rows))


@given(MODELS, micro_batches, degrees, st.sampled_from([1, 4, 8]), MODULE_SETS, MODULE_SETS)
def test_memory_never_rises_with_the_level_of_recomputation(model, micro_batch, tensor, pipeline, few, more):
    levels = [("none", set()), ("selective", few), ("selective", few | more), ("full", set())]
    rows = [
        even(model, tensor, pipeline, 16, micro_batch=micro_batch, recompute=r, recompute_modules=sorted(n))
        for r, n in levels
    ]
    assert never_rises(total(model, *rows))


@given(MODELS, degrees, st.sampled_from([1, 4]), st.integers(1, 40))
def test_no_recomputation_needs_less_memory_than_that_of_all_layers(model, tensor, pipeline, count):
    rows = [even(model, tensor, pipeline, 16, recompute="full", recompute_layers=n) for n in (count, 0)]
    assert never_rises(total(model, *rows))


@given(
    st.sampled_from(WITH_EXPERTS), st.sampled_from([1, 2, 4, 8]), st.sampled_from([1, 2, 4]), st.sampled_from([1, 8])
)
def test_the_optimizer_is_split_over_replicas_of_what_it_updates(model, data, context, expert):
    """Dense parameters over DP × CP, routed experts over the ranks that hold the same ones."""
    one = layout(1, 1, 8 * data, context=context, expert=expert)
    stage = Stage.of_kinds(model.architecture, layouts(one))
    held = rank_params(model.architecture, layouts(one), stage)
    ranks = 8 * data * context
    expected = 12 * (held.dense[0, 0] / ranks + held.experts[0, 0] / (ranks / expert))
    assert peak_memory(model, one, machine(), 512).optimizer == pytest.approx(expected)


def test_recomputing_more_layers_of_a_chunk_keeps_less():
    rows = [layout(8, 4, 2, recompute="full", recompute_layers=n) for n in (1, 5, 10, 20)]
    found = total(LLAMA_3_70B, *rows)
    assert np.all(np.diff(found) < 0)
    assert found[-1] == total(LLAMA_3_70B, layout(8, 4, 2, recompute="full"))[0]


@given(st.sampled_from(DENSE), st.sampled_from([1, 2, 4, 8]))
def test_the_distributed_optimizer_splits_only_the_optimizer_state(model, data):
    alone, split = (peak_memory(model, layout(1, 1, d), machine(), 64) for d in (1, data))
    assert split.optimizer == pytest.approx(alone.optimizer / data)
    assert (split.parameters, split.gradients, split.activations) == (
        alone.parameters,
        alone.gradients,
        alone.activations,
    )


@given(st.sampled_from(DENSE), st.sampled_from([1, 2, 4, 8]), st.sampled_from([1, 2, 4, 8]))
def test_stages_and_tensor_ranks_together_hold_every_parameter(model, tensor, pipeline):
    one = layouts(layout(tensor, pipeline))
    counts = np.array([kind.count for kind in stage_kinds(model.architecture, one)])
    held = np.sum(counts * rank_params(model.architecture, one, Stage.of_kinds(model.architecture, one)).total) * tensor
    norms_repeated = (tensor - 1) * (2 * model.layers * model.hidden + model.hidden)
    assert held == pytest.approx(model.params + norms_repeated, rel=1e-12)


def test_mixed_precision_state_is_eighteen_bytes_a_parameter():
    """BF16 weights 2, FP32 gradients 4, FP32 master weights and two moments 12 (Megatron-core)."""
    found = peak_memory(LLAMA_2_7B, layout(), machine(), 1)
    state = found.parameters + found.gradients + found.optimizer
    assert state == pytest.approx(18 * LLAMA_2_7B.params)


def test_embedding_and_head_as_layers_fill_llama_3_405b_on_sixteen_stages():
    one = layouts(layout(8, 16, 1, embedding_as_layer=True))
    kinds = stage_kinds(LLAMA_3_405B.architecture, one)
    assert [float(kind.layers[0]) for kind in kinds if kind.exists[0]] == [7, 8, 7]


def test_the_interleaved_schedule_holds_more_micro_batches():
    """The penalty 1 + (p − 1)/(p·v) on the first stage (Korthikanti et al. 2022)."""
    both = layouts(*(layout(8, 4, 2, virtual_pipeline=v) for v in (1, 5)))
    plain, woven = in_flight(both, both.micro_batches(512), np.zeros(2, dtype=np.int64))
    assert woven / plain == pytest.approx(1 + 3 / 20, rel=1e-12)


@given(st.sampled_from(FAMILIES).flatmap(models_and_splits))
def test_the_fullest_stage_of_many_layouts_is_that_of_all_stages_of_each(case):
    model, split = case
    every = fullest(stages(model, split, 4096))
    batch = split.micro_batches * split.data * split.micro_batch
    found = memory_terms(Transformer(model, 4096), split.layouts, machine(), batch)
    assert found.total - found.overhead == pytest.approx(every.allocated, rel=1e-12)
    assert MOMENTS[int(found.moment[0])] == every.when


def test_the_last_stage_peaks_where_its_logits_weigh_most():
    """Llama 3 8B on four stages, everything recomputed: 128k logits outweigh four micro-batches of layer inputs."""
    found = peak_memory(LLAMA_3_8B, layout(1, 4, 8, recompute="full"), machine(), 512)
    assert found.rank == "last pipeline stage"
    assert found.logits == 6 * 8192 * 128256


@pytest.mark.parametrize(("accelerators", "data", "mapped_bytes"), [("2 x cpu-2core", 2, 4e6), ("64 x h100-sxm", 1, 0)])
def test_a_process_of_a_cpu_holds_the_text_that_it_maps(accelerators, data, mapped_bytes):
    """Two million tokens of a vocabulary of 128k, four bytes each, over the data-parallel ranks."""
    at = (LLAMA_3_8B, layout(data=data), machine(accelerators), 2)
    assert peak_memory(*at, 2e6).overhead - peak_memory(*at).overhead == pytest.approx(mapped_bytes)
