from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.planner.model_flops import training_flops
from sixnd.planner.split import Recomputation, Split
from sixnd.planner.step_seconds import Setting, step_seconds
from sixnd.planner.step_work import Habits, quantised, work
from sixnd.specs import catalog

DENSE = catalog.model_family("llama-3-8b").architecture
SPARSE = catalog.model_family("deepseek-v3").architecture
HOPPER, BLACKWELL = (catalog.step_family(name) for name in ("hopper", "blackwell"))
WIDE = Split(tensor=2, pipeline=8, virtual=4, expert=64, data=64, micro_batches=128, sequence_parallel=True)
PLAIN = Split(tensor=2, pipeline=4, virtual=2, data=8, micro_batches=32, sequence_parallel=True)


def setting(device="h100-sxm", precision="bf16", family=HOPPER, **habits):
    return Setting(family, family.devices[device], precision, Habits(**habits))


def total(model=DENSE, split=PLAIN, sequence=8192, where=None):
    return step_seconds(model, split, sequence, where or setting()).total


def slower(where, **factors):
    changes = {name: getattr(where.device, name) * factor for name, factor in factors.items()}
    return replace(where, device=where.device.model_copy(update=changes))


@pytest.mark.parametrize("field", ["scale_up_bytes_per_s", "network_bytes_per_s", "memory_bytes_per_s"])
@pytest.mark.parametrize(("model", "split"), [(DENSE, PLAIN), (SPARSE, WIDE)])
@given(factor=st.floats(0.01, 1))
def test_time_never_falls_with_a_slower_link(field, model, split, factor):
    where = setting()
    assert total(model, split, 4096, slower(where, **{field: factor})) >= total(model, split, 4096, where) * (1 - 1e-12)


@given(
    tensor=st.sampled_from([1, 2, 4, 8]),
    pipeline=st.sampled_from([1, 2, 4]),
    context=st.sampled_from([1, 2, 4]),
    micro_batches=st.sampled_from([4, 32, 128]),
)
def test_no_step_is_faster_than_its_flops_at_peak(tensor, pipeline, context, micro_batches):
    split = Split(tensor=tensor, pipeline=pipeline, context=context, data=2, micro_batches=micro_batches)
    flops = training_flops(DENSE, 8192, "causal").model * 8192 * micro_batches
    floor = flops / (tensor * pipeline * context * HOPPER.devices["h100-sxm"].peak_flops["bf16"])
    assert total(split=split) > floor


def test_recomputing_all_layers_costs_about_a_forward_pass():
    again = replace(PLAIN, recomputation=Recomputation(full=True))
    assert 1.2 < total(split=again) / total() < 1.34


def test_recomputing_some_layers_costs_their_share():
    none, some, full = (
        total(split=replace(PLAIN, recomputation=r))
        for r in (Recomputation(), Recomputation(full=True, layers=2), Recomputation(full=True))
    )
    assert (some - none) / (full - none) == pytest.approx(2 * 4 * 2 / DENSE.layers)


def test_the_bubble_shrinks_with_micro_batches_and_chunks():
    found = step_seconds(DENSE, PLAIN, 8192, setting()).pipeline_bubble
    woven = step_seconds(DENSE, replace(PLAIN, virtual=4), 8192, setting()).pipeline_bubble
    assert woven == pytest.approx(found / 2)


def test_a_lower_precision_is_faster_where_products_dominate_but_less_than_its_peak():
    bf16, fp8, fp4 = (total(where=setting("gb300-nvl72", p, BLACKWELL)) for p in ("bf16", "fp8", "fp4"))
    assert bf16 / 2 < fp8 < bf16
    assert fp8 / 3 < fp4 < fp8


def test_experts_in_one_nvlink_domain_are_reached_without_the_network():
    near, far = (
        work(SPARSE, WIDE, 4096, family.devices[device], Habits())
        for device, family in (("gb200-nvl72", BLACKWELL), ("b200-sxm", BLACKWELL))
    )
    assert near.expert_network_bytes == 0 < far.expert_network_bytes
    assert near.expert_scale_up_bytes > 0


def test_a_token_is_sent_to_at_most_its_experts_and_once_to_a_domain():
    counted = work(SPARSE, WIDE, 4096, HOPPER.devices["h100-sxm"], Habits())
    one_copy = 2 * counted.expert_layers * 4096 / 2 * SPARSE.hidden * 2
    assert one_copy < counted.expert_network_bytes < 8 * one_copy  # eight domains, eight experts
    assert counted.expert_scale_up_bytes < SPARSE.experts.top_k * one_copy


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.sampled_from([108, 132, 148]))
def test_quantisation_only_ever_slows_down(rows, columns, multiprocessors):
    assert quantised(rows, columns, multiprocessors) >= 1


def test_quantisation_of_whole_waves_is_free():
    assert quantised(128 * 132, 128 * 4, 132) == pytest.approx(1)
    assert quantised(128 * 133, 128, 132) == pytest.approx(2 * 132 / 133)


def test_adapters_have_nothing_to_reduce_and_no_gradients_of_weights():
    whole, adapters = (step_seconds(DENSE, PLAIN, 8192, setting(adapters=a)) for a in (False, True))
    assert adapters.data_parallel == adapters.optimizer == 0
    assert 2 / 3 < adapters.compute / whole.compute < 1


def test_sharded_weights_are_gathered_for_every_micro_batch():
    split = Split(data=64, micro_batches=4)
    found, twice = (
        step_seconds(DENSE, replace(split, micro_batches=m), 512, setting(sharded_weights=True)) for m in (4, 8)
    )
    assert twice.weight_gathering == pytest.approx(2 * found.weight_gathering)
    assert found.weight_gathering > 0 == step_seconds(DENSE, split, 512, setting()).weight_gathering


def test_experts_that_are_replicated_are_reduced():
    alone, shared = (
        step_seconds(SPARSE, replace(WIDE, data=data), 4096, setting()).data_parallel for data in (64, 256)
    )
    assert shared > alone
