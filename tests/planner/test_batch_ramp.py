"""From a ramp in tokens to whole steps, and what the plan makes of it."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.planner.batch_ramp import planned_batches
from sixnd.planner.explain import explain
from sixnd.planner.plan import make_plan
from sixnd.planner.relocation import relocated
from sixnd.planner.rules import Setting, problems
from sixnd.planner.rungs import template
from sixnd.specs.batch_ramp import BatchRamp, BatchStage
from sixnd.specs.errors import ContradictionError, InfeasibleError
from sixnd.specs.plan import Plan
from tests.planner.building import LLAMA_3_8B, layout, machine, spec

LENGTH = 4096


def tokens(sequences: float) -> float:
    return sequences * LENGTH


@st.composite
def ramps(draw: st.DrawFn) -> tuple[BatchRamp, int, float]:
    """A ramp, the full batch in sequences, and tokens that reach beyond it."""
    sizes = sorted(draw(st.sets(st.integers(1, 300), min_size=2, max_size=6)))
    if draw(st.booleans()):
        ends = sorted(
            draw(st.lists(st.integers(1, 10**6), min_size=len(sizes) - 1, max_size=len(sizes) - 1, unique=True))
        )
        stages = [
            BatchStage(until=float(end), global_batch=tokens(size)) for end, size in zip(ends, sizes, strict=False)
        ]
        ramp, end = BatchRamp(stages=stages), float(ends[-1])
    else:
        end = float(draw(st.integers(1, 10**6)))
        ramp = BatchRamp(start=tokens(sizes[0]), increment=tokens(draw(st.integers(1, 50))), tokens=end)
    return ramp, sizes[-1], end + tokens(sizes[-1] * draw(st.floats(2, 40)))


@given(ramps())
def test_stages_are_whole_steps_in_rising_batches_that_change_where_the_ramp_says(
    found: tuple[BatchRamp, int, float],
) -> None:
    ramp, full, total = found
    steps, batches = planned_batches(ramp, full, LENGTH, total)
    stages = batches.stages
    assert [one.first_step for one in stages] == [1, *(one.last_step + 1 for one in stages[:-1])]
    assert stages[-1].last_step == steps
    assert stages[-1].global_batch == full
    assert all(one.global_batch < other.global_batch for one, other in itertools.pairwise(stages))
    read = tokens(batches.samples_after(steps))
    assert 0 <= total - read < tokens(full) + 1e-3
    end = ramp.stages[-1].until if ramp.stages else ramp.tokens
    before = tokens(batches.samples_after(stages[-1].first_step - 1))
    assert end is not None
    assert before >= end - 1e-3, "the full batch is taken once the ramp is read"
    if len(stages) > 1:
        assert before - tokens(stages[-2].global_batch) < end, "and by the first step that begins then"


def test_llama_3s_ramp_is_its_own() -> None:
    ramp = BatchRamp(
        stages=[
            BatchStage(until=252e6, global_batch=4 * 2**20),
            BatchStage(until=2.87e12, global_batch=8 * 2**20),
        ]
    )
    steps, batches = planned_batches(ramp, 4096, LENGTH, 15.6e12)
    assert [(one.global_batch, one.steps) for one in batches.stages[:1]] == [(1024, 61)]
    assert 1.1e6 < steps < 1.2e6, "the paper gives 1,200,000 steps"


def test_a_stage_shorter_than_a_step_is_passed_over() -> None:
    ramp = BatchRamp(start=tokens(10), increment=tokens(1), tokens=tokens(12))
    _, batches = planned_batches(ramp, 16, LENGTH, tokens(100))
    assert [one.global_batch for one in batches.stages] == [10, 15, 16]


@pytest.mark.parametrize(
    ("ramp", "full", "total", "said"),
    [
        (BatchRamp(start=tokens(4), tokens=tokens(400)), 16, tokens(300), "shorten the ramp or raise the budget"),
        (BatchRamp(start=tokens(4), fraction=0.99), 16, tokens(100), "not one step"),
        (BatchRamp(start=tokens(16), fraction=0.1), 16, tokens(900), "is not below the 16"),
        (BatchRamp(start=tokens(1), fraction=0.1), 4096, tokens(1e6), "at most 1,000; raise increment"),
    ],
)
def test_a_ramp_that_cannot_be_is_refused_with_what_would_help(
    ramp: BatchRamp, full: int, total: float, said: str
) -> None:
    with pytest.raises((InfeasibleError, ContradictionError), match=said):
        planned_batches(ramp, full, LENGTH, total)


RAMP = {"start": "262144 tokens", "fraction": 0.1}


@pytest.fixture(scope="module")
def plan() -> Plan:
    asked = {"global_batch": "1048576 tokens", "batch_ramp": RAMP, "schedule": "wsd"}
    tasks = {"tasks": ["copying"], "at": ["100M tokens", "1B tokens"]}
    data = {"anneal": {"share": 0.1, "weights": {"code": 1}}}
    return make_plan(spec({"compute": 3e19}, training=asked, evaluation=tasks, data=data))


def test_tokens_phases_and_evaluations_are_counted_by_the_batch_of_each_step(plan: Plan) -> None:
    batches, length = plan.training.batches, plan.model.sequence_length
    assert batches.sizes == (64, 128, 192, 256)
    stages = sum(one.steps * one.global_batch for one in plan.training.batch_stages)
    assert plan.data.tokens == stages * length == plan.tokens_after(plan.training.steps)
    main, annealing = plan.phases
    assert main.tokens == plan.tokens_after(main.last_step)
    assert main.tokens + annealing.tokens == plan.data.tokens
    assert annealing.tokens / plan.data.tokens == pytest.approx(0.1, abs=batches.full * length / plan.data.tokens)
    assert plan.data.tokens == pytest.approx(sum(source.tokens for source in plan.data.sources))
    for asked, step in zip((100e6, 1e9), plan.evaluation.task_steps, strict=False):
        assert plan.tokens_after(step - 1) < asked <= plan.tokens_after(step)


def test_the_ramps_steps_cost_less_than_full_ones_but_more_than_their_share(plan: Plan) -> None:
    full_s, train_s = plan.estimates.step_time_s.value, plan.estimates.train_time_s.value
    by_tokens = plan.data.tokens / (plan.training.global_batch * plan.model.sequence_length) * full_s
    assert by_tokens < train_s < plan.training.steps * full_s
    explained = explain(plan, "train_time").steps
    assert explained[-1].value == pytest.approx(train_s)
    assert sum(float(step.value) for step in explained[:-1]) == pytest.approx(train_s)
    assert explain(plan, "time").steps[-1].value == pytest.approx(plan.estimates.wall_time_s.value, rel=1e-6)
    assert explain(plan, "D").steps[1].value == plan.data.tokens
    assert explain(plan, "ramp").steps[-2].value == plan.data.tokens


def test_the_layout_splits_every_batch(plan: Plan) -> None:
    per_round = plan.layout.data * plan.layout.micro_batch
    assert all(size % per_round == 0 for size in plan.training.batches.sizes)


def test_a_layout_that_the_ramp_forbids_is_told_by_its_batches() -> None:
    here = Setting(LLAMA_3_8B, machine(), 128, ramp=(24, 64))
    assert here.common_batch == 8
    found = [one.message for one in problems(here, layout(data=16))]
    assert found == ["batches of 24 to 128 sequences (common divisor 8) do not divide over DP 16"]
    found = [one.message for one in problems(here, layout(data=8, micro_batch=2))]
    assert found == ["batches of 24 to 128 sequences (common divisor 8) do not divide over DP 8 × micro-batch 2"]
    found = [one.message for one in problems(here, layout(pipeline=2, virtual_pipeline=2, data=8))]
    assert found == ["interleaving needs micro-batches in multiples of PP 2, but there are 3"]


def test_a_spec_whose_ramp_no_layout_splits_says_so_at_the_ramp() -> None:
    asked = {"global_batch": "1048576 tokens", "batch_ramp": {"start": "4096 tokens", "fraction": 0.1}}
    with pytest.raises(InfeasibleError, match="common divisor 1") as caught:
        make_plan(spec({"compute": 3e19}, training=asked, layout={"data": 8}))
    assert ("training", "batch_ramp") in {path for one in caught.value.problems for path in (one.path, *one.also)}


def test_a_budget_of_time_is_filled_with_the_ramp_in_it() -> None:
    asked = {"global_batch": "1048576 tokens"}
    seconds = 7200.0
    steady, ramped = (
        make_plan(spec({"time": f"{seconds} s"}, training=asked | more, model={"params": "500M params"}))
        for more in ({}, {"batch_ramp": RAMP})
    )
    one = ramped.estimates.step_time_s.value
    assert seconds - 2 * one < ramped.estimates.wall_time_s.value <= seconds
    assert ramped.data.tokens <= steady.data.tokens
    assert ramped.training.steps > steady.training.steps


def test_a_run_that_moves_keeps_its_stages_and_finds_a_layout_for_them(plan: Plan) -> None:
    elsewhere = spec({"compute": 3e19}, "4 x h100-sxm")
    moved = relocated(plan, elsewhere)
    assert moved.fingerprint() == plan.fingerprint()
    assert moved.training.batch_stages == plan.training.batch_stages
    assert moved.estimates.train_time_s.value > plan.estimates.train_time_s.value


def test_the_ramp_changes_the_model_and_its_absence_does_not(plan: Plan) -> None:
    plain = plan.model_copy(update={"training": plan.training.model_copy(update={"batch_stages": []})})
    assert plain.fingerprint() != plan.fingerprint()
    assert "batch_stages" not in plain.training.identity()


def test_rungs_of_a_ladder_have_no_ramp(plan: Plan) -> None:
    assert template(plan.spec, 32_768).training.batch_ramp is None


def test_the_learning_rate_meanwhile_is_said(plan: Plan) -> None:
    said = next(one for one in plan.decisions if one.what == "training.batch_ramp")
    assert "none of these runs scales it" in said.reason
    changed = plan.spec.training.batch_ramp
    assert changed is not None
    root = plan.spec.training.model_copy(
        update={"batch_ramp": changed.model_copy(update={"learning_rate": "square-root"})}
    )
    made = make_plan(plan.spec.model_copy(update={"training": root}))
    assert made.training.ramp_learning_rate == "square-root"
    assert explain(made, "ramp").steps[-1].value == pytest.approx(math.sqrt(64 / 256))
