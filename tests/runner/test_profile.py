"""The profile: which shapes are timed, and real processes that time them."""

import math
from pathlib import Path

import pytest

from sixnd.runner.profile import profile, variants
from sixnd.specs.errors import SixndError
from tests.runner import tiny


def shapes(plan, seconds=60.0):
    return [(one.model.shape, one.training.global_batch) for _, one in variants(plan, seconds)]


def test_the_model_is_timed_with_two_batches_and_its_halves_with_one():
    plan = tiny.plan()
    found = shapes(plan, 600.0)
    assert [batch for _, batch in found] == [8, 2, 8, 8]
    assert [shape.layers for shape, _ in found] == [4, 4, 2, 4]
    assert [shape.hidden for shape, _ in found] == [64, 64, 64, 32]
    assert all(shape.hidden // shape.heads == 16 for shape, _ in found)


def test_of_a_single_micro_batch_fewer_sequences_are_timed():
    plan = tiny.plan(tiny.layout(micro_batch=8))
    assert [batch for _, batch in shapes(plan, 600.0)] == [8, 2, 8, 8]


def test_shapes_that_the_layout_cannot_split_are_not_timed():
    deep = tiny.plan(tiny.layout(pipeline=4))
    assert {shape.layers for shape, _ in shapes(deep)} == {4}
    wide = tiny.plan(tiny.layout(tensor=2))
    assert {shape.kv_heads for shape, _ in shapes(wide)} == {2}


@pytest.mark.parametrize("pipeline", [1, 2, 4])
def test_every_batch_fills_the_pipeline_and_the_replicas(pipeline):
    plan = tiny.plan(tiny.layout(pipeline=pipeline, data=2))
    for seconds in (0.1, 5.0, 600.0):
        for _, one in variants(plan, seconds):
            assert one.training.global_batch % (pipeline * 2) == 0
            assert one.training.global_batch <= max(plan.training.global_batch, 2 * pipeline)


def test_a_profile_of_machines_that_are_not_here_is_refused():
    plan = tiny.plan(tiny.layout(data=8))
    cluster = plan.cluster.model_copy(update={"shared_host": False, "accelerator": "h100-sxm"})
    with pytest.raises(SixndError, match="needs 8 x h100-sxm"):
        profile(plan.model_copy(update={"cluster": cluster}), 1.0, lambda _text: None)


@pytest.mark.integration
def test_real_processes_time_every_shape(tmp_path: Path):
    said: list[str] = []
    plan = tiny.plan(tiny.layout(data=2))
    found = profile(plan, 2.0, said.append)
    assert [one.plan for one in found] == [one for _, one in variants(plan, 2.0)]
    assert all(len(one.seconds) >= 10 and all(0 < s < 60 for s in one.seconds) for one in found)
    assert len(said) == 1 + 2 * len(found)
    assert math.isfinite(sum(sum(one.seconds) for one in found))
