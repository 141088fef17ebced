"""Memory of any decoder on any split: published formulas, properties, and measured ranks."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.planner import model as counts
from sixnd.planner.activations import Tokens, backward_extra, bytes_kept, bytes_whole, forward_extra, layer_tensors
from sixnd.planner.split import FP32_STATE, Recomputation, Software, Split, StateBytes
from sixnd.planner.stage import Stage, in_flight
from sixnd.planner.stage_memory import fullest, stages
from sixnd.planner.stage_params import rank_params
from sixnd.specs import catalog
from tests.benchmarks.memory_truth import RefusedError, case, cases, report
from tests.planner.shared_data import shared
from tests.planner.splitting import models_and_splits

OLD = Software(fused_attention=False, dropout=True)
SELECTIVE = Recomputation(modules=frozenset({"core_attn"}))
FULL = Recomputation(full=True)
MODELS = ("llama-3-8b", "gpt-3-175b", "mixtral-8x7b", "qwen-3-30b-a3b", "deepseek-v3", "gemma-3-27b")
degrees = st.sampled_from([1, 2, 4, 8])


def architecture(name):
    return catalog.model_family(name).architecture


def held(name, sequence=4096, **parts):
    return fullest(stages(architecture(name), Split(**({"micro_batches": 64} | parts)), sequence)).allocated


@pytest.mark.parametrize(
    ("parallel", "again", "whole", "split", "scores"),
    [
        (False, Recomputation(), 10, 24, 5),
        (True, Recomputation(), 0, 34, 5),
        (False, SELECTIVE, 10, 24, 0),
        (True, SELECTIVE, 0, 34, 0),
    ],
)
def test_a_layer_of_gpt_keeps_what_korthikanti_derives(parallel, again, whole, split, scores):
    """Korthikanti et al. 2022, table 2: in units of s·b·h, what is whole, split by TP, and 5·a·s/h split by TP."""
    model, s, b, t = architecture("gpt-3-175b"), 2048, 2, 8
    parts = Split(tensor=t, micro_batch=b, sequence_parallel=parallel, recomputation=again)
    at = Tokens(model, parts.layouts, OLD, s)
    found = bytes_kept(at, layer_tensors(at, False))[0] / (s * b * model.hidden)
    assert found == pytest.approx(whole + (split + scores * model.heads * s / model.hidden) / t, rel=1e-12)


@given(st.sampled_from(MODELS), st.sampled_from([1, 2, 4]))
def test_memory_never_rises_with_tensor_parallelism(name, micro_batch):
    found = [held(name, tensor=t, sequence_parallel=t > 1, micro_batch=micro_batch) for t in (1, 2, 4, 8)]
    assert all(b <= a for a, b in pairwise(found))


@given(st.sampled_from(MODELS), degrees)
def test_memory_never_rises_with_context_parallelism(name, tensor):
    """But for the kernel's own copy of its output, which the first step of it brings."""
    found = [held(name, 32768, tensor=tensor, sequence_parallel=tensor > 1, context=c) for c in (1, 2, 4, 8)]
    assert all(b <= a for a, b in pairwise(found))


@given(st.sampled_from(("mixtral-8x7b", "qwen-3-30b-a3b", "deepseek-v3")), degrees)
def test_memory_never_rises_with_expert_parallelism(name, data):
    found = [held(name, data=8 * data, expert=e) for e in (1, 2, 4, 8)]
    assert all(b <= a for a, b in pairwise(found))


@given(st.sampled_from(MODELS), degrees, st.sampled_from([1, 2, 4]))
def test_memory_never_rises_with_recomputation(name, tensor, pipeline):
    by_module = Recomputation(modules=frozenset({"core_attn", "layernorm", "mlp", "moe_act", "mla_up_proj"}))
    levels = (Recomputation(), SELECTIVE, by_module)
    parts = {"tensor": tensor, "pipeline": pipeline, "sequence_parallel": tensor > 1}
    kept = [
        max(s.activations for s in stages(architecture(name), Split(micro_batches=64, recomputation=r, **parts), 4096))
        for r in (*levels, FULL)
    ]
    assert all(b <= a for a, b in pairwise(kept))
    assert held(name, recomputation=FULL, **parts) <= held(name, **parts)


def test_recomputing_more_layers_of_a_block_keeps_less():
    found = [held("llama-3-8b", pipeline=4, recomputation=Recomputation(full=True, layers=n)) for n in (0, 2, 4, 8)]
    assert found == sorted(found, reverse=True)
    assert found[0] == held("llama-3-8b", pipeline=4)
    assert found[-1] == held("llama-3-8b", pipeline=4, recomputation=FULL)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("tensor", "pipeline", "virtual", "expert"), [(1, 1, 1, 1), (1, 2, 1, 2), (1, 4, 2, 8)])
def test_stages_and_expert_ranks_together_hold_every_parameter(name, tensor, pipeline, virtual, expert):
    model = architecture(name).model_copy(update={"mtp_layers": 0})
    split = Split(tensor=tensor, pipeline=pipeline, virtual=virtual, expert=expert)
    ranks = rank_params(model, split.layouts, Stage.all_of(model, split))
    copies = counts.embedding_params(model) if model.tied and pipeline > 1 else 0
    total = np.broadcast_to(ranks.dense + ranks.experts * expert, (pipeline, 1)).sum()
    assert total == pytest.approx(counts.params(model) + copies, rel=1e-12)


def recomputed_whole(model, split, stage):
    """For each layer of a stage whether it is recomputed whole: the first ones of each chunk, or all."""
    again, ends = split.recomputation, int(split.embedding_as_layer)
    chunk = (model.layers + ends * (2 + model.mtp_layers)) // (split.pipeline * split.virtual)
    missing = ends if stage == 0 else 0  # of the first chunk
    places = [
        i if i < chunk - missing else (i + missing) % chunk
        for i in range(len(split.layers_of(stage, model.layers, model.mtp_layers)))
    ]
    return [again.full and (again.layers is None or place < again.layers) for place in places]


def walked(model, split, sequence, stage):
    """Bytes of activations, logits and what passes at a stage's peak, layer by layer."""
    at = Tokens(model, split.layouts, Software(), sequence)
    last, again, further = (
        stage == split.pipeline - 1,
        split.recomputation,
        [model.experts is not None] * model.mtp_layers,
    )
    held = [counts.has_experts(model, i) for i in split.layers_of(stage, model.layers, model.mtp_layers)]
    whole_again = recomputed_whole(model, split, stage)
    if last:
        held, whole_again = held + further, whole_again + [again.full and again.layers is None for _ in further]
    kept, moments = [], []
    for with_experts, whole in zip(held, whole_again, strict=True):
        tensors, experts = layer_tensors(at, with_experts), model.experts if with_experts else None
        total = bytes_whole(tensors)[0]
        kept.append(at.layer_input[0] if whole else total if again.full else bytes_kept(at, tensors)[0])
        moments.append(total - kept[-1] + max(forward_extra(at, experts)[0], backward_extra(at, experts)[0]))
    earlier = (in_flight(split.layouts, np.full(1, split.micro_batches), np.full(1, stage))[0] - 1) * sum(kept)
    found = [earlier + sum(kept[: i + 1]) + moment for i, moment in enumerate(moments)]
    rows = model.vocab / split.tensor
    if last:
        flow = 2 * at.hidden_bytes[0] + at.layer_input[0] if split.sequence_parallel else at.hidden_bytes[0]
        logits = at.count[0] * rows * (1 + model.mtp_layers) * 6
        found.append(earlier + sum(kept) + 2 * at.layer_input[0] + flow + logits + 2 * rows * model.hidden)
    if stage == 0:
        found.append(earlier + 2 * rows * model.hidden + at.layer_input[0])
    return max(found)


@given(st.sampled_from(("llama-3-405b", "mixtral-8x7b", "deepseek-v3")).flatmap(models_and_splits))
def test_a_stage_peaks_where_a_walk_through_its_layers_does(case):
    """With any number of layers without experts, which may reach into any chunk of any stage."""
    model, split = case
    found = [float(one.activations + one.logits + one.passing) for one in stages(model, split, 4096)]
    assert found == pytest.approx([walked(model, split, 4096, stage) for stage in range(split.pipeline)], rel=1e-12)


def test_the_optimizer_is_split_over_data_and_context_and_experts_over_their_own_copies():
    """Split over DP × CP; of 8 × 2 ranks with EP 4, four hold the same experts."""
    model = architecture("mixtral-8x7b")
    split = Split(data=8, context=2, expert=4)
    (one,) = stages(model, split, 4096)
    rank = rank_params(model, split.layouts, Stage.all_of(model, split))
    assert one.optimizer == pytest.approx(12 * (rank.dense / 16 + rank.experts / 4))
    (whole,) = stages(model, split, 4096, StateBytes(distributed=False))
    assert whole.optimizer == pytest.approx(12 * rank.total)


@pytest.mark.parametrize(("state", "each"), [(StateBytes(), 18), (FP32_STATE, 16), (StateBytes(2, 2, 4, 4), 12)])
def test_bytes_a_parameter_follow_the_precision_of_the_optimizer(state, each):
    (one,) = stages(architecture("llama-2-7b"), Split(), 4096, state)
    assert one.states == pytest.approx(each * counts.params(architecture("llama-2-7b")))


@given(st.sampled_from(MODELS), st.sampled_from([1, 4]), st.booleans())
def test_what_waits_in_host_memory_is_not_kept(name, pipeline, selective):
    modules = ("attn_norm", "qkv_linear", "core_attn", "attn_proj", "mlp_norm", "expert_fc1", "moe_act")
    parts = {"pipeline": pipeline, "micro_batches": 64, "recomputation": SELECTIVE if selective else Recomputation()}
    found = [
        fullest(stages(architecture(name), Split(offload=frozenset(modules[:n]), **parts), 4096)).allocated
        for n in range(len(modules) + 1)
    ]
    assert all(b <= a for a, b in pairwise(found))


def test_offloading_a_layer_s_inputs_leaves_its_feed_forward():
    """Of Llama 3 8B: residuals, norm outputs, Q, K, V and the attention's output leave; gate, up and product stay."""
    model, s = architecture("llama-3-8b"), 4096
    modules = frozenset({"attn_norm", "qkv_linear", "core_attn", "attn_proj", "mlp_norm"})
    at = Tokens(model, Split().layouts, Software(), s, modules)
    tensors = layer_tensors(at, False)
    assert bytes_whole(tensors) - bytes_kept(at, tensors) == 2 * s * (3 * 4096 + 4096 + 2 * 1024 + 4096)


def test_an_optimizer_in_host_memory_takes_none_of_the_device():
    (half,) = stages(architecture("llama-2-7b"), Split(), 4096, StateBytes(on_host=0.5))
    assert half.optimizer == pytest.approx(6 * counts.params(architecture("llama-2-7b")))


def test_interleaving_holds_more_micro_batches_on_the_first_stage():
    """The penalty 1 + (p − 1)/(p·v) (Korthikanti et al. 2022, §4.2.3)."""
    plain, woven = (Split(pipeline=4, virtual=v) for v in (1, 5))
    ranks, many = np.arange(4), np.full(1, 64.0)
    assert in_flight(woven.layouts, many, ranks)[0] == pytest.approx(4 * (1 + 3 / 20))
    assert list(in_flight(plain.layouts, many, ranks)) == [4, 3, 2, 1]
    assert list(in_flight(plain.layouts, np.full(1, 2.0), ranks)) == [2, 2, 2, 1]


def test_chunks_of_an_interleaved_stage_are_apart_and_uneven_stages_are_as_given():
    assert Split(pipeline=2, virtual=2).layers_of(1, 8) == [2, 3, 6, 7]
    assert Split(pipeline=3, stage_layers=(1, 4, 3)).layers_of(2, 8) == [5, 6, 7]
    assert [len(Split(pipeline=4).layers_of(r, 10)) for r in range(4)] == [3, 3, 2, 2]


def test_a_large_vocabulary_makes_the_last_stage_peak_and_a_shorter_one_relieves_it():
    """Llama 3's 128k entries: with every layer recomputed, logits outweigh what the first stage has in flight."""
    model, split = architecture("llama-3-8b"), Split(pipeline=4, micro_batches=64, recomputation=FULL, data=8)
    found = stages(model, split, 8192)
    assert fullest(found).stage == 3
    assert fullest(found).when == "loss and head"
    uneven = stages(model, replace(split, stage_layers=(10, 9, 8, 5)), 8192)
    assert uneven[3].allocated < found[3].allocated


def test_without_recomputation_the_first_stage_peaks_and_activations_fill_it():
    peak = fullest(stages(architecture("llama-3-8b"), Split(pipeline=4, micro_batches=64, micro_batch=2), 8192))
    assert (peak.stage, peak.fills) == (0, "activations")


def test_multi_token_prediction_weighs_on_the_last_stage():
    """One more layer, and logits twice."""
    with_mtp = architecture("deepseek-v3")
    without = with_mtp.model_copy(update={"mtp_layers": 0})
    split = Split(pipeline=16, expert=64, data=64, micro_batches=64)
    ends = [stages(model, split, 4096)[-1] for model in (without, with_mtp)]
    assert ends[1].allocated > ends[0].allocated + 12 * (counts.mtp_params(with_mtp) / 64)


def test_allocated_memory_is_within_a_fifth_of_a_per_cent_of_simumax_s_ranks():
    found = report(shared("truth/memory.csv"))
    assert found["by_source"]["SimuMax v1.2 B200 real"]["p90"] < 0.2
    assert found["overall"]["moe"]["mape"] < 0.2
    assert found["as_planned"]["n"] > 100
    assert found["as_planned"]["largest_difference"] < 1e-12
    assert found["out_of_memory"]["called"] == found["out_of_memory"]["n"] > 0


def test_every_row_is_used_or_refused_with_a_reason():
    path = shared("truth/memory.csv")
    used, refused, exhausted = cases(path)
    assert len(used) + len(refused) + len(exhausted) == len(path.read_text(encoding="utf-8").splitlines()) - 1
    assert all(one["reason"] for one in refused)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model": "nobody-7b"}, "shape"),
        ({"layers": "", "hidden": "", "heads": "", "model": "bloom-9B"}, "shape"),
        ({"seq_len": ""}, "sequence length"),
        ({"measured_gb": ""}, "no figure"),
        ({"component": "smell"}, "component"),
        ({"tp": "0"}, "degree"),
        ({"zero": "3"}, "ZeRO"),
    ],
)
def test_a_row_that_says_too_little_or_too_much_is_refused(change, reason):
    row = {"row_id": "1", "component": "total", "model": "llama3-8b", "source": "", "seq_len": "4096", "mem_kind": ""}
    row |= {"framework": "", "measured_gb": "40", "recompute": "none", "rank": "", "precision": "BF16", "num_gpus": "1"}
    row |= {"micro_batch": "1", "grad_accum": "1", "dp": "1", "table": ""}
    assert case(row).measured == 40
    with pytest.raises(RefusedError, match=reason):
        case(row | change)


def test_products_in_fp8_keep_a_byte_of_their_inputs_and_two_copies_of_each_weight():
    """Of Llama 3 8B: norm outputs and the product take a byte, attention's output three, weights two more."""
    model, s = architecture("llama-3-8b"), 4096
    wide, narrow = (
        bytes_whole(layer_tensors(Tokens(model, Split().layouts, software, s), False))[0]
        for software in (Software(), Software(quantised_products=True))
    )
    assert wide - narrow == s * (2 * 4096 + 14336 - 4096)
    bf16, fp8 = (stages(model, Split(), s, StateBytes(quantised=n))[0].parameters for n in (0, 2))
    matrices = counts.params(model) - 2 * counts.embedding_params(model) - (2 * 32 + 1) * 4096
    assert fp8 - bf16 == 2 * matrices


def test_shared_experts_in_fp8_keep_their_input_beside_the_router_s():
    model = architecture("deepseek-v2")
    at = Tokens(model, Split().layouts, Software(quantised_products=True), 4096)
    (found,) = (t.bytes for t in layer_tensors(at, True) if t.name == "feed-forward norm's output")
    assert found == 3 * 4096 * model.hidden
