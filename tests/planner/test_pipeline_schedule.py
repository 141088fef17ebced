"""The pipeline that a plan draws takes the time that the plan says, and idles as its bubble."""

import pytest

from sixnd.planner.candidates import Layouts
from sixnd.planner.pipeline_schedule import planned_pipeline
from sixnd.planner.runtime import runtime
from sixnd.planner.step_seconds import step_seconds
from sixnd.reports.pipeline import schedule
from tests.planner.building import LLAMA_3_70B, LLAMA_3_405B, layout, machine

MACHINE = machine("512 x h100-sxm")


def both(model, split, batch):
    found = planned_pipeline(model, split, batch, runtime(MACHINE))
    time = step_seconds(model.architecture, Layouts.of(split), model.sequence, batch, runtime(MACHINE))
    return found, time


@pytest.mark.parametrize("chunks", [1, 2, 5])
@pytest.mark.parametrize("recompute", ["none", "full"])
def test_the_schedule_lasts_as_long_as_the_model_says_of_its_parts(chunks, recompute):
    split = layout(8, 8, 8, virtual_pipeline=chunks, recompute=recompute)
    pipeline, time = both(LLAMA_3_70B, split, 256)
    parts = ("compute", "tensor_parallel", "overhead", "pipeline_bubble")
    assert schedule(pipeline).length_s == pytest.approx(sum(float(getattr(time, name)[0]) for name in parts), rel=0.03)
    assert pipeline.micro_batches == 32


def test_stages_are_in_their_order_and_the_bubble_is_a_pass_of_each_but_the_busiest():
    split = layout(8, 16, 4, virtual_pipeline=4, embedding_as_layer=True)
    pipeline, time = both(LLAMA_3_405B, split, 128)
    seconds = [f + b for f, b in zip(pipeline.forward_s, pipeline.backward_s, strict=True)]
    assert len(seconds) == 16
    assert len(set(seconds[1:-1])) == 1
    assert seconds[0] < seconds[1]  # the embedding takes a layer's place
    assert seconds[-1] != seconds[0]
    idle = (sum(seconds) - max(seconds)) / 4
    assert idle == pytest.approx(float(time.pipeline_bubble[0]))


def test_what_is_recomputed_lengthens_the_backward_pass_alone():
    plain, _ = both(LLAMA_3_70B, layout(8, 8, 8), 256)
    again, _ = both(LLAMA_3_70B, layout(8, 8, 8, recompute="full"), 256)
    assert again.backward_s[1] > 1.3 * plain.backward_s[1]
    assert again.forward_s[1] == pytest.approx(plain.forward_s[1], rel=0.05)


def test_one_stage_has_no_pipeline_and_a_shared_host_none_to_draw():
    assert planned_pipeline(LLAMA_3_70B, layout(8, 1, 64), 256, runtime(MACHINE)) is None
    cpu = runtime(machine("4 x cpu-2core"))
    assert planned_pipeline(LLAMA_3_70B, layout(2, 2, 1), 8, cpu) is None
