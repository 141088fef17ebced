import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.planner.candidates import MODULES, chunk_layers, stage_kinds
from sixnd.planner.memory import memory_terms, peak_memory
from sixnd.planner.split import Recomputation, Split
from sixnd.planner.stage import Stage, in_flight
from sixnd.planner.stage_memory import MOMENTS, fullest, stages
from sixnd.planner.stage_params import rank_params
from sixnd.specs import catalog
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

MODELS = st.sampled_from([LLAMA_3_8B, LLAMA_3_70B])
FAMILIES = ("gpt-3-175b", "gemma-3-27b", "llama-3-405b", "mixtral-8x7b", "deepseek-v2", "deepseek-v3")
MODULE_SETS = st.frozensets(st.sampled_from(MODULES))
micro_batches = st.sampled_from([1, 2, 4])


def total(model, *rows, batch=512):
    return memory_terms(model, layouts(*rows), machine(), batch).total


@given(MODELS, micro_batches, st.sampled_from([1, 2, 4]))
def test_memory_never_rises_with_tensor_parallelism(model, micro_batch, pipeline):
    rows = [layout(t, pipeline, 2, micro_batch=micro_batch, sequence_parallel=t > 1) for t in (1, 2, 4, 8)]
    assert np.all(np.diff(total(model, *rows)) <= 0)


@given(MODELS, micro_batches, st.sampled_from([1, 2, 8]))
def test_memory_never_rises_with_pipeline_parallelism(model, micro_batch, tensor):
    rows = [layout(tensor, p, 2, micro_batch=micro_batch) for p in (1, 2, 4, 8)]
    assert np.all(np.diff(total(model, *rows)) <= 1e-6)


@given(MODELS, micro_batches, st.sampled_from([1, 2, 8]), st.sampled_from([1, 4, 8]))
def test_memory_never_rises_with_the_level_of_recomputation(model, micro_batch, tensor, pipeline):
    parts = [("none", []), ("selective", ["core_attn"]), ("full", [])]
    rows = [layout(tensor, pipeline, 2, micro_batch=micro_batch, recompute=r, recompute_modules=n) for r, n in parts]
    assert np.all(np.diff(total(model, *rows)) <= 0)


def test_recomputing_more_layers_of_a_chunk_keeps_less():
    rows = [layout(8, 4, 2, recompute="full", recompute_layers=n) for n in (1, 5, 10, 20)]
    found = total(LLAMA_3_70B, *rows)
    assert np.all(np.diff(found) < 0)
    assert found[-1] == total(LLAMA_3_70B, layout(8, 4, 2, recompute="full"))[0]


@given(MODELS, st.sampled_from([1, 2, 4, 8]))
def test_the_distributed_optimizer_splits_only_the_optimizer_state(model, data):
    alone, split = (peak_memory(model, layout(1, 1, d), machine(), 64) for d in (1, data))
    assert split.optimizer == pytest.approx(alone.optimizer / data)
    assert (split.parameters, split.gradients, split.activations) == (
        alone.parameters,
        alone.gradients,
        alone.activations,
    )


@given(MODELS, st.sampled_from([1, 2, 4, 8]), st.sampled_from([1, 2, 4, 8]))
def test_stages_and_tensor_ranks_together_hold_every_parameter(model, tensor, pipeline):
    one = layouts(layout(tensor, pipeline))
    chunk = chunk_layers(model.architecture, one)
    held = sum(
        kind.count[0] * rank_params(model.architecture, one, Stage.of_kind(one, chunk, kind)).total[0] * tensor
        for kind in stage_kinds(model.architecture, one)
    )
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


@st.composite
def splits(draw, name):
    """Any split of a catalogued model into even stages, whatever Megatron would say of it."""
    model = catalog.model_family(name).architecture
    ends = draw(st.booleans())
    filled = model.layers + ends * (2 + model.mtp_layers)
    even = [(p, v) for p in range(1, 17) for v in (1, 2, 3, 4) if p * v == 1 or (p > 1 and filled % (p * v) == 0)]
    pipeline, virtual = draw(
        st.sampled_from([(p, v) for p, v in even if filled // (p * v) > ends * (1 + model.mtp_layers)])
    )
    tensor = draw(st.sampled_from([1, 2, 4, 8]))
    full = draw(st.booleans())
    again = (
        Recomputation(full, draw(st.sampled_from([None, 1, 2, 5])))
        if full
        else Recomputation(modules=draw(MODULE_SETS))
    )
    return Split(
        tensor=tensor,
        pipeline=pipeline,
        virtual=virtual,
        context=draw(st.sampled_from([1, 2, 4])),
        expert=draw(st.sampled_from([1, 2, 8])) if model.experts else 1,
        expert_tensor=draw(st.sampled_from([1, tensor])) if model.experts else 1,
        data=draw(st.sampled_from([8, 16])),
        micro_batch=draw(st.sampled_from([1, 2])),
        micro_batches=draw(st.sampled_from([1, 4, 64])),
        sequence_parallel=tensor > 1 and draw(st.booleans()),
        recomputation=again,
        embedding_as_layer=ends,
    )


@given(st.data())
def test_the_fullest_stage_of_many_layouts_is_that_of_all_stages_of_each(data):
    name = data.draw(st.sampled_from(FAMILIES))
    split = data.draw(splits(name))
    model = published(name, 4096)
    every = fullest(stages(model.architecture, split, 4096))
    batch = split.micro_batches * split.data * split.micro_batch
    found = memory_terms(model, split.layouts, machine(), batch)
    without_overhead = found.total - found.overhead
    assert without_overhead == pytest.approx(every.allocated, rel=1e-12)
    assert MOMENTS[int(found.moment[0])] == every.when


def test_the_last_stage_peaks_where_its_logits_weigh_most():
    """Llama 3 8B on four stages, everything recomputed: 128k logits outweigh four micro-batches of layer inputs."""
    found = peak_memory(LLAMA_3_8B, layout(1, 4, 8, recompute="full"), machine(), 512)
    assert found.rank == "last pipeline stage"
    assert found.logits == 6 * 8192 * 128256
