import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.planner.candidates import stage_kinds
from sixnd.planner.memory import (
    in_flight_micro_batches,
    layer_activation_bytes,
    memory_terms,
    peak_memory,
    stage_params,
)
from sixnd.planner.split import Recomputation, Split
from sixnd.planner.stage_memory import fullest, stages
from tests.planner.building import LLAMA_2_7B, LLAMA_3_8B, LLAMA_3_70B, LLAMA_3_405B, layout, layouts, machine

MODELS = st.sampled_from([LLAMA_3_8B, LLAMA_3_70B])
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
    kinds = stage_kinds(model.architecture, one)
    held = sum(kind.count[0] * stage_params(model, one, kind)[0] for kind in kinds) * tensor
    norms_repeated = (tensor - 1) * (2 * model.layers * model.hidden + model.hidden)
    assert held == pytest.approx(model.params + norms_repeated, rel=1e-12)


def test_mixed_precision_state_is_eighteen_bytes_a_parameter():
    """BF16 weights 2, FP32 gradients 4, FP32 master weights and two moments 12 (Megatron-core)."""
    found = peak_memory(LLAMA_2_7B, layout(), machine(), 1)
    state = found.parameters + found.gradients + found.optimizer
    assert state == pytest.approx(18 * LLAMA_2_7B.params)


def test_activations_of_a_layer_are_counted_tensor_by_tensor():
    """Norm inputs and outputs 4·sbh, Q and attention output 2·sbh, K and V, gate, up and product, the log-sum-exp."""
    m = LLAMA_3_8B
    elements = m.sequence * (4 * 4096 + 2 * 4096 + 2 * 1024 + 3 * 14336)
    expected = 2 * elements + 4 * m.sequence * 32
    assert layer_activation_bytes(m, layouts(layout()), machine())[0] == expected


def test_embedding_and_head_as_layers_fill_llama_3_405b_on_sixteen_stages():
    one = layouts(layout(8, 16, 1, embedding_as_layer=True))
    kinds = stage_kinds(LLAMA_3_405B.architecture, one)
    assert [float(kind.layers[0]) for kind in kinds if kind.exists[0]] == [7, 8, 7]


def test_the_interleaved_schedule_holds_more_micro_batches():
    """The penalty 1 + (p − 1)/(p·v) on the first stage (Korthikanti et al. 2022)."""
    both = layouts(*(layout(8, 4, 2, virtual_pipeline=v) for v in (1, 5)))
    plain, woven = in_flight_micro_batches(both, 512, stage_kinds(LLAMA_3_70B.architecture, both)[0])
    assert woven / plain == pytest.approx(1 + 3 / 20, rel=1e-12)


@given(
    MODELS,
    micro_batches,
    st.sampled_from([1, 2, 8]),
    st.sampled_from([(1, 1), (2, 1), (4, 1), (4, 2), (8, 1)]),
    st.sampled_from([1, 16]),
    st.sampled_from([("none", 0), ("selective", 0), ("full", 0), ("full", 1), ("full", 3)]),
)
def test_the_general_model_of_memory_agrees(model, micro_batch, tensor, pipelines, data, again):
    (pipeline, virtual), (level, count) = pipelines, again
    one = layout(
        tensor,
        pipeline,
        data,
        virtual_pipeline=virtual,
        micro_batch=micro_batch,
        recompute=level,
        recompute_layers=count,
        recompute_modules=["core_attn"] if level == "selective" else [],
    )
    modules = frozenset({"core_attn"}) if level == "selective" else frozenset()
    split = Split(
        tensor=tensor,
        pipeline=pipeline,
        virtual=virtual,
        data=data,
        micro_batch=micro_batch,
        micro_batches=1024 // (data * micro_batch),
        sequence_parallel=tensor > 1,
        recomputation=Recomputation(full=level == "full", layers=count or None, modules=modules),
    )
    ours = peak_memory(model, one, machine(), 1024)
    held = ours.parameters + ours.gradients + ours.optimizer + ours.activations + ours.logits
    general = fullest(stages(model.architecture, split, model.sequence))
    assert held == pytest.approx(general.allocated, rel=1e-9)


def test_the_last_stage_peaks_where_its_logits_weigh_most():
    """Llama 3 8B on four stages, everything recomputed: 128k logits outweigh four micro-batches of layer inputs."""
    found = peak_memory(LLAMA_3_8B, layout(1, 4, 8, recompute="full"), machine(), 512)
    assert found.rank == "last pipeline stage"
    assert found.logits == 6 * 8192 * 128256
