import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.planner import layout_search
from sixnd.planner.layout import search
from sixnd.planner.layout_search import SHOWN, explore, lawful, usable_memory
from sixnd.planner.layout_space import micro_batched, recomputed, splits
from sixnd.planner.memory import memory_terms
from sixnd.planner.rules import Setting
from sixnd.planner.runtime import runtime
from sixnd.planner.step_seconds import step_seconds
from sixnd.specs.budget import Layout
from sixnd.specs.errors import InfeasibleError
from tests.planner.building import LLAMA_3_8B, LLAMA_3_70B, LLAMA_3_405B, machine, published

AUTO = Layout()


def setting(model=LLAMA_3_70B, accelerators="64 x h100-sxm", batch=512):
    return Setting(model, machine(accelerators), batch)


@given(st.sampled_from([8, 16, 24, 48, 64, 512]), st.sampled_from([96, 768, 1536]))
@settings(max_examples=18, deadline=None)
def test_every_planned_layout_obeys_megatrons_rules(count, batch):
    model = LLAMA_3_8B
    one = search(setting(model, f"{count} x h100-sxm", batch), AUTO).layout
    m = batch / (one.data * one.micro_batch)
    filled = model.layers + (2 if one.embedding_as_layer else 0)
    assert one.tensor * one.pipeline * one.context * one.data == count
    assert one.tensor <= 8
    assert model.heads % one.tensor == model.ffn % one.tensor == model.vocab % one.tensor == 0
    assert model.kv_heads % one.tensor == 0 or one.tensor % model.kv_heads == 0
    assert not one.sequence_parallel or (one.tensor > 1 and model.sequence % one.tensor == 0)
    assert filled % (one.pipeline * one.virtual_pipeline) == 0
    assert m == int(m) >= 1
    assert one.virtual_pipeline == 1 or (one.pipeline > 1 and m % one.pipeline == 0)
    assert one.distributed_optimizer


def test_the_chosen_layout_fits_and_is_the_fastest_that_does():
    found = search(setting(), AUTO)
    chosen = found.options[0]
    assert chosen.chosen
    assert chosen.memory_bytes <= usable_memory(machine())
    others = [o for o in found.options[1:] if o.step_time_s is not None and "usable" not in o.why_not]
    assert others
    assert all(o.step_time_s >= chosen.step_time_s and o.why_not.endswith("slower") for o in others)


def test_each_rule_that_rejects_something_shows_one_example():
    found = search(setting(LLAMA_3_405B, "1024 x h100-sxm", 2304), AUTO)
    why = " / ".join(option.why_not for option in found.options)
    for words in ("fast links", "do not fill", "do not divide", "micro-batches in multiples", "are usable"):
        assert words in why


def test_pinned_degrees_are_kept():
    pins = Layout.model_validate({"tensor": 4, "pipeline": 4, "micro_batch": 2, "recompute": "full"})
    one = search(setting(), pins).layout
    assert (one.tensor, one.pipeline, one.micro_batch, one.recompute) == (4, 4, 2, "full")


def test_llama_3_405b_gets_a_layout_its_authors_would_recognise():
    """TP 8, PP 16, 128 replicas (Grattafiori et al. 2024, table 4); context parallelism halves their number."""
    one = search(setting(LLAMA_3_405B, "16384 x h100-sxm", 2048), AUTO).layout
    assert (one.tensor, one.pipeline, one.context * one.data) == (8, 16, 128)
    assert one.embedding_as_layer


@pytest.mark.parametrize(
    ("name", "accelerators", "batch", "theirs", "loses"),
    [
        # Korthikanti et al. 2022, table 3: GPT-3 on TP 8 and PP 8, interleaved
        ("gpt-3-175b", "1024 x a100-sxm-80gb", 1536, {"tensor": 8, "pipeline": 8}, 0.02),
        # Narayanan et al. 2021, table 1: a trillion parameters on TP 8 and PP 64
        ("gpt-1t", "3072 x a100-sxm-80gb", 3072, {"tensor": 8, "pipeline": 64}, 0.1),
    ],
)
def test_megatrons_authors_layouts_lose_little_by_the_model(name, accelerators, batch, theirs, loses):
    """The chosen one has their shape: tensor parallelism inside a node, a pipeline over nodes, interleaved."""
    model = published(name)
    one = setting(model.with_vocab(51_200), accelerators, batch)
    chosen, own = search(one, AUTO), search(one, Layout.model_validate(theirs))
    assert own.options[0].step_time_s <= (1 + loses) * chosen.options[0].step_time_s
    assert 4 <= chosen.layout.tensor <= 8
    assert theirs["pipeline"] / 2 <= chosen.layout.pipeline <= theirs["pipeline"]
    assert chosen.layout.virtual_pipeline > 1
    assert chosen.layout.context == 1


def test_deepseek_v3_gets_a_layout_its_authors_would_recognise():
    """PP 16 and EP 64 over 2,048 GPUs, without tensor parallelism to speak of (arXiv:2412.19437, §3.2)."""
    one = search(setting(published("deepseek-v3"), "2048 x h100-sxm", 15_360), AUTO).layout
    assert one.expert in (32, 64)
    assert one.tensor <= 4
    assert one.pipeline > 1


def test_the_search_stays_where_measured_runs_are_unless_a_spec_pins_more():
    model = published("deepseek-v3")
    for degree, most in (("context", 1), ("expert", 64)):
        assert getattr(search(setting(model, "2048 x h100-sxm", 15_360), AUTO).layout, degree) <= most
        pinned = search(setting(model, "2048 x h100-sxm", 15_360), Layout.model_validate({degree: 2 * most})).layout
        assert getattr(pinned, degree) == 2 * most


def test_a_model_that_does_not_fit_says_on_how_many_accelerators_it_would():
    with pytest.raises(InfeasibleError, match=r"needs .* GB a rank .* it fits on \d+ x h100-sxm"):
        search(setting(LLAMA_3_70B, "8 x h100-sxm", 512), AUTO)


def test_a_count_that_no_layout_uses_says_why_the_nearest_fails():
    with pytest.raises(InfeasibleError, match=r"no layout of 7 ranks .* 4 x h100-sxm would do"):
        search(setting(LLAMA_3_8B, "7 x h100-sxm", 512), AUTO)


@given(st.sampled_from([8, 12, 64]), st.sampled_from([24, 64]))
@settings(max_examples=6, deadline=None)
def test_every_candidate_uses_every_accelerator(count, batch):
    one = setting(LLAMA_3_8B, f"{count} x h100-sxm", batch)
    found = recomputed(one, AUTO, micro_batched(one, AUTO, splits(one, AUTO, count)))
    assert np.all(found.tensor * found.pipeline * found.context * found.data == count)


def test_sixteen_thousand_accelerators_are_searched_exhaustively():
    found = explore(setting(LLAMA_3_405B, "16384 x h100-sxm", 2048), AUTO)
    assert len(found.splits) > 1_000
    assert len(found.bounds.layouts) > 300


@pytest.mark.parametrize(
    ("model", "accelerators", "batch"),
    [
        (LLAMA_3_8B, "16 x h100-sxm", 96),
        (LLAMA_3_70B, "64 x h100-sxm", 512),
        (LLAMA_3_405B, "2048 x h100-sxm", 1024),
        (published("mixtral-8x7b"), "128 x h100-sxm", 256),
        (published("deepseek-v2-lite"), "16 x h100-sxm", 64),
    ],
)
def test_what_the_bounds_leave_out_is_neither_the_fastest_nor_on_the_front(monkeypatch, model, accelerators, batch):
    """The search against every variant of every lawful split."""
    monkeypatch.setattr(layout_search, "_CHUNK", 20)  # small steps, so that the bounds have much to leave out
    one = setting(model, accelerators, batch)
    found, space = search(one, AUTO), explore(one, AUTO)
    every = lawful(one, recomputed(one, AUTO, space.bounds.layouts))
    assert space.evaluated < 0.9 * len(every)
    time = step_seconds(model.architecture, every, model.sequence, batch, runtime(one.machine)).total
    memory = memory_terms(model, every, one.machine, batch).total
    fits = memory <= usable_memory(one.machine)
    assert found.options[0].step_time_s == time[fits].min()
    for member in found.pareto:
        faster = fits & (time <= member.step_time_s)
        assert memory[faster].min() == pytest.approx(member.memory_bytes)
        assert not (fits & (time < member.step_time_s) & (memory <= member.memory_bytes)).any()
    splits_in_order = list(dict.fromkeys(_splits_by_time(every.pick(fits), time[fits])))
    shown = [o for o in found.options if o.step_time_s is not None and "usable" not in o.why_not]
    assert [_split(o.layout) for o in shown] == splits_in_order[:SHOWN]


def _splits_by_time(layouts, time):
    names = ("tensor", "pipeline", "context", "expert", "expert_tensor")
    return [tuple(int(getattr(layouts, name)[i]) for name in names) for i in np.argsort(time, kind="stable")]


def _split(one):
    return (one.tensor, one.pipeline, one.context, one.expert, one.expert_tensor)


def test_the_pareto_front_starts_with_the_chosen_layout_and_trades_time_for_memory():
    found = search(setting(LLAMA_3_405B, "1024 x h100-sxm", 2304), AUTO)
    times, memory = zip(*((o.step_time_s, o.memory_bytes) for o in found.pareto), strict=True)
    assert found.pareto[0].layout == found.layout
    assert list(times) == sorted(times)
    assert list(memory) == sorted(memory, reverse=True)
    assert 2 < len(found.pareto) <= 12


def test_a_rank_keeps_some_memory_free():
    assert math.isclose(usable_memory(machine()), 80e9 * 0.95)
