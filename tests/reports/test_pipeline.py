"""The played schedule is 1F1B, plain and interleaved, with the bubble that papers give it."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.reports.pipeline import drawn, schedule, some_stages, steady_break
from sixnd.specs.plan import PlannedPipeline


def pipeline(stages=4, micro_batches=8, chunks=1, forward=1.0, backward=2.0, last=1.0):
    pace = [1.0] * (stages - 1) + [last]
    return PlannedPipeline(
        forward_s=[forward * one for one in pace],
        backward_s=[backward * one for one in pace],
        micro_batches=micro_batches,
        chunks=chunks,
        basis="test",
    )


shapes = st.tuples(st.integers(2, 6), st.integers(1, 4), st.integers(1, 4), st.floats(1.0, 1.5)).map(
    lambda s: pipeline(s[0], s[1] * s[0], s[2], last=s[3])
)


@given(st.integers(2, 6), st.integers(1, 5), st.integers(1, 4))
@settings(deadline=None)
def test_a_pipeline_of_equal_stages_idles_as_long_as_narayanan_et_al_say(stages, groups, chunks):
    """Bubble over ideal time: (p − 1)/(v m) (arXiv:2104.04473, §2.2)."""
    m = groups * stages
    found = schedule(pipeline(stages, m, chunks))
    assert found.length_s == pytest.approx(m * 3 + (stages - 1) * 3 / chunks)
    assert found.idle_share == pytest.approx((stages - 1) / (chunks * m + stages - 1))


@given(shapes)
@settings(deadline=None)
def test_every_micro_batch_passes_every_chunk_once_forward_and_once_backward(shape):
    found = schedule(shape)
    seen = [(one.stage, one.kind, one.micro_batch, one.chunk) for one in found.passes]
    assert len(seen) == len(set(seen)) == 2 * found.stages * shape.chunks * shape.micro_batches


@given(shapes)
@settings(deadline=None)
def test_no_stage_does_two_things_at_once(shape):
    for one, other in pairwise(schedule(shape).passes):
        assert one.stage < other.stage or one.end_s <= other.start_s + 1e-9


@given(shapes)
@settings(deadline=None)
def test_no_pass_begins_before_what_it_needs_has_ended(shape):
    found = schedule(shape)
    ends = {(one.kind, one.micro_batch, one.chunk * found.stages + one.stage): one.end_s for one in found.passes}
    last = found.stages * shape.chunks - 1
    for one in found.passes:
        place = one.chunk * found.stages + one.stage
        if one.kind == "Backward":
            needed = ("Forward", one.micro_batch, last) if place == last else ("Backward", one.micro_batch, place + 1)
            assert ends[needed] <= one.start_s + 1e-9
        elif place:
            assert ends["Forward", one.micro_batch, place - 1] <= one.start_s + 1e-9


@pytest.mark.parametrize("chunks", [1, 2])
def test_a_busier_last_stage_sets_the_pace(chunks):
    found = schedule(pipeline(4, 16, chunks, last=1.5))
    last = [one for one in found.passes if one.stage == 3]
    assert sum(one.end_s - one.start_s for one in last) == pytest.approx(16 * 4.5)
    assert found.length_s == pytest.approx(16 * 4.5 + 3 * 3 / chunks, rel=0.05)


def test_fewer_micro_batches_than_stages_still_run():
    assert schedule(pipeline(4, 1)).length_s == pytest.approx(12)
    assert schedule(pipeline(4, 6, 2)).length_s > 6 * 3


def test_a_long_steady_part_is_left_out_and_what_follows_moves_left_by_as_much():
    found = schedule(pipeline(4, 64))
    gap = steady_break(found)
    assert gap is not None
    assert gap.micro_batches == pytest.approx((gap.end_s - gap.start_s) / 3, abs=1)
    placed = drawn(found, gap)
    assert max(one.end_s for one in placed) == pytest.approx(found.length_s - gap.saved_s)
    assert not [one for one in placed if gap.start_s < one.start_s < gap.start_s + gap.width_s - 1e-9]
    assert {(one.stage, one.micro_batch) for one in placed} >= {(s, m) for s in range(4) for m in (0, 63)}


def test_a_short_step_is_drawn_whole():
    found = schedule(pipeline(4, 8))
    assert steady_break(found) is None
    assert drawn(found, None) == list(found.passes)


def test_no_more_stages_are_drawn_than_the_picture_has_room_for():
    assert some_stages(16, 1024, 10_000) == list(range(16))
    few = some_stages(16, 1024, 64 * 5)
    assert (few[0], few[-1], len(few)) == (0, 15, 5)
    assert some_stages(16, 1024, 1) == [0, 15]
