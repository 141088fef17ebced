"""Each rule has a layout that breaks it and nothing else, and says so with the numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.planner.candidates import Layouts
from sixnd.planner.rules import RULES, SPLIT_RULES, Setting, problems, violations
from tests.planner.broken import BROKEN, DEEPSEEK_V3, MIXTRAL, setting
from tests.planner.building import LLAMA_3_8B, LLAMA_3_405B, dense, layout, machine, spec


@pytest.mark.parametrize("one", BROKEN, ids=lambda one: one.rule)
def test_a_layout_can_break_each_rule_alone_and_is_told_the_numbers(one):
    here, candidate = setting(one), layout(**one.layout)
    broken = violations(here, Layouts.of(candidate))[:, 0]
    assert [rule.name for rule, breaks in zip(RULES, broken, strict=True) if breaks] == [one.rule]
    assert one.words in problems(here, candidate)[0].message


def test_every_rule_has_an_example():
    assert {one.rule for one in BROKEN} == {rule.name for rule in RULES}


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        (LLAMA_3_405B, {"tensor": 8, "pipeline": 16, "virtual_pipeline": 8, "data": 128, "embedding_as_layer": True}),
        (DEEPSEEK_V3, {"pipeline": 16, "virtual_pipeline": 2, "expert": 64, "data": 128, "embedding_as_layer": True}),
        (MIXTRAL, {"tensor": 2, "pipeline": 4, "virtual_pipeline": 8, "expert": 8, "data": 16, "context": 2}),
    ],
)
def test_published_layouts_are_allowed(model, parts):
    """Llama 3 (arXiv:2407.21783, §3.3.2) leaves the first chunk without a layer; DeepSeek-V3 trained on PP16, EP64."""
    assert problems(Setting(model, machine("1024 x h100-sxm"), 2048), layout(**parts)) == []


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_rules_of_the_split_do_not_look_at_micro_batch_or_recomputation(data):
    degrees = st.sampled_from([1, 2, 3, 4, 8, 16])
    names = ("tensor", "pipeline", "virtual_pipeline", "context", "expert", "expert_tensor", "data")
    split = {name: data.draw(degrees) for name in names}
    here = Setting(data.draw(st.sampled_from([LLAMA_3_8B, DEEPSEEK_V3, MIXTRAL])), machine(), 96)
    plain = layout(**split)
    other = layout(**split, micro_batch=data.draw(degrees), recompute="full")
    alone = violations(here, Layouts.of(plain, other), split_only=True)
    assert alone.shape == (len(SPLIT_RULES), 2)
    assert np.array_equal(alone[:, 0], alone[:, 1])
    assert np.array_equal(violations(here, Layouts.of(plain, other))[: len(SPLIT_RULES)], alone)


def test_a_problem_stands_where_the_spec_pinned_what_breaks_the_rule():
    pinned_shape = {"layers": 30, "hidden": 768, "heads": 12, "kv_heads": 4, "ffn": 3072}
    budget = spec({"compute": 1e20}, model={"shape": pinned_shape}, layout={"virtual_pipeline": 4})
    here = Setting(dense(30, 768, 12, 4, 3072, vocab=32768, sequence=4096), machine(), 128)
    heads, layers = problems(here, layout(tensor=8, pipeline=2, virtual_pipeline=4), budget)
    assert (heads.path, layers.path) == (("model", "shape", "heads"), ("layout", "virtual_pipeline"))
    assert problems(here, layout(tensor=8, pipeline=2))[0].path == ("layout", "tensor")


def test_tensor_parallel_groups_lie_within_one_node():
    """TP 6 on nodes of 8 would reach over two of them; on six accelerators of one node it does not."""
    model = dense(24, 6144, 48, 48, 24576, vocab=49_152, sequence=2048)
    for accelerators, broken in (("48 x h100-sxm", True), ("6 x h100-sxm", False)):
        s = Setting(model, machine(accelerators), 480)
        one = Layouts.of(layout(6, 1, s.machine.planned.count // 6))
        found = dict(zip((rule.name for rule in RULES), violations(s, one)[:, 0], strict=True))
        assert found["scale-up domain"] == broken
