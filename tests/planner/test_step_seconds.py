from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.planner.candidates import Layouts, module_bits
from sixnd.planner.model_flops import training_flops
from sixnd.planner.runtime import Habits, Runtime, runtime
from sixnd.planner.step_seconds import step_seconds
from sixnd.planner.step_work import quantised, work
from sixnd.specs import catalog
from tests.benchmarks.step_rows import device
from tests.planner.building import machine

DENSE = catalog.model_family("llama-3-8b").architecture
DEEP = catalog.model_family("llama-3-405b").architecture
SPARSE = catalog.model_family("deepseek-v3").architecture
MODULES = ("core_attn", "layernorm", "mla_up_proj", "mlp", "moe_act", "shared_experts", "moe")


def layouts(**columns):
    names = list(Layouts.__dataclass_fields__)
    one = dict.fromkeys(names, 1) | {n: 0 for n in names if n.startswith("recompute")}
    one |= {"sequence_parallel": False, "embedding_as_layer": False, "recompute_full": False} | columns
    return Layouts(**{name: np.atleast_1d(np.asarray(value)) for name, value in one.items()})


PLAIN = {"tensor": 2, "pipeline": 4, "virtual": 2, "data": 8, "sequence_parallel": True}
WIDE = {"tensor": 2, "pipeline": 8, "virtual": 4, "expert": 64, "data": 64, "sequence_parallel": True}
WIDE |= {"embedding_as_layer": True}


def where(name="h100-sxm", precision="bf16", family="hopper", **habits):
    return Runtime(catalog.step_family(family), device(name), precision, Habits(**habits))


def seconds(model=DENSE, split=PLAIN, batch=256, sequence=8192, on=None):
    return step_seconds(model, layouts(**split), sequence, batch, on or where())


def total(*args, **kwargs):
    return float(seconds(*args, **kwargs).total[0])


def slower(one, **factors):
    changes = {name: getattr(one.device, name) * factor for name, factor in factors.items()}
    return replace(one, device=one.device.model_copy(update=changes))


@pytest.mark.parametrize("field", ["scale_up_bytes_per_s", "network_bytes_per_s", "memory_bytes_per_s"])
@pytest.mark.parametrize(("model", "split"), [(DENSE, PLAIN), (SPARSE, WIDE)])
@given(factor=st.floats(0.01, 1))
def test_time_never_falls_with_a_slower_link(field, model, split, factor):
    slow = total(model, split, 8192, 4096, slower(where(), **{field: factor}))
    assert slow >= total(model, split, 8192, 4096) * (1 - 1e-12)


@given(
    tensor=st.sampled_from([1, 2, 4, 8]),
    pipeline=st.sampled_from([1, 2, 4]),
    context=st.sampled_from([1, 2, 4]),
    batch=st.sampled_from([8, 64, 256]),
)
def test_no_step_is_faster_than_its_flops_at_peak(tensor, pipeline, context, batch):
    split = {"tensor": tensor, "pipeline": pipeline, "context": context, "data": 2}
    flops = training_flops(DENSE, 8192, "causal").model * 8192 * batch
    floor = flops / (2 * tensor * pipeline * context * where().device.peak_flops["bf16"])
    assert total(split=split, batch=batch) > floor


@pytest.mark.parametrize(("model", "split", "sequence"), [(DENSE, PLAIN, 8192), (SPARSE, WIDE, 4096)])
def test_layouts_are_costed_alike_alone_and_among_many(model, split, sequence):
    degrees = np.tile([1, 2, 4, 8], 5000)
    many = {name: np.full(20_000, value) for name, value in split.items()} | {"tensor": degrees}
    one = {name: np.ones_like(degrees) for name in Layouts.__dataclass_fields__ if name not in many}
    one |= {name: np.zeros_like(degrees) for name in ("recompute_full", "recompute_layers", "recompute_modules")}
    one["embedding_as_layer"] = many.get("embedding_as_layer", np.zeros(20_000, bool))
    found = step_seconds(model, layouts(**(one | many)), sequence, 4096, where()).total
    for i in (0, 1, 19_998, 19_999):
        alone = total(model, split | {"tensor": int(degrees[i])}, 4096, sequence)
        assert found[i] == pytest.approx(alone)


def test_recomputing_all_layers_costs_about_a_forward_pass():
    assert 1.2 < total(split=PLAIN | {"recompute_full": True}) / total() < 1.34


def test_recomputing_some_layers_costs_their_share():
    some = total(split=PLAIN | {"recompute_full": True, "recompute_layers": 2})
    full = total(split=PLAIN | {"recompute_full": True})
    assert (some - total()) / (full - total()) == pytest.approx(2 * 4 * 2 / DENSE.layers)


@pytest.mark.parametrize(("model", "split"), [(DENSE, PLAIN), (SPARSE, WIDE)])
@pytest.mark.parametrize("module", MODULES)
def test_recomputing_a_module_costs_something_where_the_model_has_it_but_less_than_a_forward_pass(model, split, module):
    alone, none, full = (
        total(model, split | more)
        for more in ({"recompute_modules": module_bits([module])}, {}, {"recompute_full": True})
    )
    absent = {"mla_up_proj", "moe_act", "shared_experts", "moe"} if model is DENSE else set()
    assert (alone > none) == (module not in absent)
    assert alone < full


def test_the_bubble_shrinks_with_chunks():
    assert seconds(split=PLAIN | {"virtual": 4}).pipeline_bubble == pytest.approx(seconds().pipeline_bubble / 2)


def test_ends_that_hold_a_layer_less_make_room_for_the_head():
    """Llama 3 405B: 126 layers, embedding and head fill 16 stages of eight."""
    split = {"tensor": 8, "pipeline": 16, "virtual": 4, "data": 128, "sequence_parallel": True}
    even, uneven = (seconds(DEEP, split | {"embedding_as_layer": e}, 2048) for e in (False, True))
    assert uneven.compute < even.compute  # 7 layers and the head against 126/16 and the head


def test_further_predictions_cost_a_layer_and_a_head_on_the_last_stage():
    plain = SPARSE.model_copy(update={"mtp_layers": 0})
    alone = {"data": 8, "expert": 8}
    assert total(SPARSE, alone, 64) / total(plain, alone, 64) == pytest.approx(1 + 1 / SPARSE.layers, abs=0.02)


def test_a_lower_precision_is_faster_where_products_dominate_but_less_than_its_peak():
    bf16, fp8, fp4 = (total(on=where("gb300-nvl72", p, "blackwell")) for p in ("bf16", "fp8", "fp4"))
    assert bf16 / 2 < fp8 < bf16
    assert fp8 / 3 < fp4 < fp8


def test_experts_in_one_nvlink_domain_are_reached_without_the_network():
    near, far = (
        work(SPARSE, layouts(**WIDE), 4096, where(name, family="blackwell")) for name in ("gb200-nvl72", "b200-sxm")
    )
    assert near.expert_network_bytes == 0 < far.expert_network_bytes
    assert near.expert_scale_up_bytes > 0


def test_a_token_is_sent_to_at_most_its_experts_and_once_to_a_domain():
    counted = work(SPARSE, layouts(**WIDE), 4096, where())
    one_copy = 2 * 4096 / 2 * SPARSE.hidden * 2
    assert one_copy < counted.expert_network_bytes < 8 * one_copy  # eight domains, eight experts
    assert counted.expert_scale_up_bytes < SPARSE.experts.top_k * one_copy


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.sampled_from([108, 132, 148]))
def test_quantisation_only_ever_slows_down(rows, columns, multiprocessors):
    assert quantised(rows, columns, multiprocessors) >= 1 - 1e-12


def test_quantisation_of_whole_waves_is_free():
    assert quantised(128 * 132, 128 * 4, 132) == pytest.approx(1)
    assert quantised(128 * 133, 128, 132) == pytest.approx(2 * 132 / 133)
    assert quantised(1, 1, None) == 1


def test_adapters_have_nothing_to_reduce_and_no_gradients_of_weights():
    whole, adapters = (seconds(on=where(adapters=a)) for a in (False, True))
    assert adapters.data_parallel == adapters.optimizer == 0
    assert 2 / 3 < adapters.compute / whole.compute < 1


def test_sharded_weights_are_gathered_for_every_micro_batch():
    found, twice = (
        seconds(split={"data": 64}, batch=64 * m, sequence=512, on=where(sharded_weights=True)) for m in (4, 8)
    )
    assert twice.weight_gathering == pytest.approx(2 * found.weight_gathering)
    assert found.weight_gathering > 0 == seconds(split={"data": 64}, batch=256, sequence=512).weight_gathering


def test_experts_that_are_replicated_are_reduced():
    alone, shared = (seconds(SPARSE, WIDE | {"data": d}, 128 * d, 4096).data_parallel for d in (64, 256))
    assert shared > alone


def test_ranks_of_a_shared_host_do_not_add_speed():
    alone, eight = (runtime(machine(f"{n} x cpu-2core")) for n in (1, 8))
    split = {"tensor": 2, "pipeline": 2, "data": 2}
    assert total(split=split, batch=8, on=eight) > total(split={}, batch=8, on=alone)
    assert seconds(split=split, batch=8, on=eight).pipeline_bubble == 0


def test_llama_3_405b_is_near_its_published_mfu():
    """BF16 MFU 0.41 on 16,384 H100, TP 8, PP 16, DP 128, 2,048 sequences (Grattafiori et al. 2024, table 4)."""
    split = {"tensor": 8, "pipeline": 16, "virtual": 4, "data": 128, "sequence_parallel": True}
    found = total(DEEP, split | {"embedding_as_layer": True}, 2048)
    flops = training_flops(DEEP, 8192, "full").model * 8192 * 2048
    assert 0.35 < flops / (16384 * where().device.peak_flops["bf16"] * found) < 0.5


def test_a_layer_takes_no_less_than_its_launches_unless_a_graph_replays_them():
    tiny = DENSE.model_copy(update={"hidden": 256, "heads": 4, "kv_heads": 4, "ffn": 768, "vocab": 1000})
    eager, graphed = (total(tiny, {}, 1, 128, where(graphed=g)) for g in (False, True))
    assert eager > 3 * tiny.layers * where().family.launch_s > graphed


def test_attention_that_ends_with_documents_costs_less_on_long_sequences():
    whole, packed = (
        total(split={"data": 8}, batch=8, sequence=32_768, on=where(document_tokens=d)) for d in (None, 512)
    )
    assert packed < whole
    assert total(sequence=512, on=where(document_tokens=4096)) == total(sequence=512)


def test_tokens_that_travel_behind_compute_cost_a_share_of_their_way():
    open_, hidden = (seconds(SPARSE, WIDE, 4096, 4096, where(hides_dispatch=h)) for h in (False, True))
    assert hidden.expert_parallel == pytest.approx(open_.expert_parallel * where().family.exposed_dispatch)


def test_a_token_sent_to_each_expert_alone_is_sent_more_often():
    once, copies = (work(SPARSE, layouts(**WIDE), 4096, where(sends_copies=s)) for s in (False, True))
    assert copies.expert_network_bytes > once.expert_network_bytes


def test_routing_to_a_few_nodes_spares_the_network():
    free = SPARSE.model_copy(update={"experts": SPARSE.experts.model_copy(update={"node_limit": None})})
    limited, anywhere = (work(model, layouts(**WIDE), 4096, where()) for model in (SPARSE, free))
    assert limited.expert_network_bytes < anywhere.expert_network_bytes
    assert limited.expert_scale_up_bytes == anywhere.expert_scale_up_bytes


def test_tensor_parallel_collectives_of_tiny_messages_cost_their_latency():
    split = {"tensor": 2, "sequence_parallel": True}
    found = seconds(split=split, batch=1, sequence=128, on=where()).tensor_parallel
    family = where().family
    assert found > 4 * DENSE.layers * family.collective_s * family.exposed_tensor
