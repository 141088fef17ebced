import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.planner import laws
from sixnd.planner.plan import make_plan
from sixnd.specs import catalog
from sixnd.specs.errors import ContradictionError, InfeasibleError
from sixnd.specs.load import load_budget
from sixnd.specs.plan import Plan
from sixnd.specs.yaml_reader import read_yaml
from tests.planner.building import spec

EXAMPLES = sorted((Path(__file__).parents[2] / "specs" / "examples").glob("*.yaml"))
LLAMA_3_8B = {"layers": 32, "hidden": 4096, "heads": 32, "kv_heads": 8, "ffn": 14336}


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda path: path.stem)
def example(request):
    return make_plan(load_budget(request.param))


def test_an_examples_plan_loads_back_unchanged(example):
    assert Plan.model_validate(read_yaml(example.to_yaml(), "plan").data) == example


def test_the_time_and_memory_parts_sum_to_their_estimates(example):
    assert sum(example.estimates.time.plain().values()) == pytest.approx(example.estimates.step_time_s.value)
    held = [v for v in example.estimates.memory.plain().values() if not isinstance(v, str)]
    assert sum(held) == pytest.approx(example.estimates.memory_bytes.value)


def test_every_estimate_lies_in_its_interval(example):
    for name in type(example.estimates).model_fields:
        one = getattr(example.estimates, name)
        if name not in ("memory", "time") and one is not None:
            assert one.low <= one.value <= one.high, name
            assert one.basis


def test_shares_sum_to_one_and_tokens_to_d(example):
    assert sum(s.weight for s in example.data.sources) == pytest.approx(1)
    assert sum(s.tokens for s in example.data.sources) == pytest.approx(example.data.tokens)


def test_tokens_are_whole_steps(example):
    t = example.training
    assert example.data.tokens == t.steps * t.global_batch * example.model.sequence_length


def test_every_decision_has_a_reason_and_a_source(example):
    assert all(d.reason and d.source and d.value for d in example.decisions)
    decided = {d.what for d in example.decisions}
    assert {"model.params", "data.tokens", "layout", "training.global_batch", "training.learning_rate"} <= decided


def test_the_examples_use_every_currency():
    given_names = {name for path in EXAMPLES for name in load_budget(path).budget.model_fields_set}
    assert given_names == {"compute", "accelerator_hours", "money", "time"}


@given(st.floats(18, 24).map(lambda e: 10**e))
@settings(max_examples=12, deadline=None)
def test_six_nd_never_exceeds_the_budget_and_nearly_spends_it(compute):
    plan = make_plan(spec({"compute": compute}, "32 x h100-sxm"))
    spent = 6 * plan.model.params * plan.data.tokens
    step = 6 * plan.model.params * plan.training.global_batch * plan.model.sequence_length
    assert compute - step <= spent <= compute * (1 + 1e-9)
    assert plan.budget.compute_flops == compute


@given(st.floats(18, 23).map(lambda e: 10**e), st.floats(1.1, 9))
@settings(max_examples=12, deadline=None)
def test_a_larger_budget_never_plans_a_worse_loss(compute, factor):
    """But for the last, unpaid step of the larger one, which whole steps leave out."""
    small, large = (make_plan(spec({"compute": c}, "32 x h100-sxm")) for c in (compute, compute * factor))
    law = catalog.law("besiroglu-2024")
    step = large.training.global_batch * large.model.sequence_length
    best = laws.loss(law, large.model.params, large.data.tokens + step)
    assert best <= small.estimates.loss.value


def test_the_same_spec_gives_the_same_plan_byte_for_byte():
    one = spec({"time": "3 days"}, "64 x h100-sxm")
    assert make_plan(one).to_yaml() == make_plan(one).to_yaml()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"time": "14 days"}, {"time": "336 hours"}),
        ({"compute": "1e22 FLOPs"}, {"compute": "10 ZFLOPs"}),
        ({"money": "250k USD"}, {"money": "250000"}),
    ],
)
def test_the_unit_of_a_budget_is_irrelevant(one, other):
    plans = [make_plan(spec(budget, "64 x h100-sxm")) for budget in (one, other)]
    assert plans[0].estimates == plans[1].estimates
    assert plans[0].model == plans[1].model


def test_hours_time_and_money_that_are_equal_plan_the_same_run():
    price = catalog.accelerator("h100-sxm").price.usd_per_hour
    budgets = (
        {"time": "10 days"},
        {"accelerator_hours": f"{64 * 240} GPU-hours"},
        {"money": f"{64 * 240 * price} USD"},
    )
    plans = [make_plan(spec(budget, "64 x h100-sxm")) for budget in budgets]
    for one, other in itertools.pairwise(plans):
        assert (one.model, one.layout, one.training.steps) == (other.model, other.layout, other.training.steps)
    assert plans[0].budget.money_usd == pytest.approx(plans[2].budget.money_usd, rel=1e-3)


@given(st.floats(0.5, 60), st.sampled_from([8, 64, 512]))
@settings(max_examples=10, deadline=None)
def test_a_budget_of_time_is_filled_to_the_last_whole_step(days, count):
    plan = make_plan(spec({"time": f"{days:.3f} days"}, f"{count} x h100-sxm"))
    left = plan.spec.budget.time - plan.estimates.wall_time_s.value
    assert 0 <= left <= plan.estimates.step_time_s.value / 0.9 + 1e-6


def test_the_compute_of_a_time_plan_buys_about_that_time_back():
    by_time = make_plan(spec({"time": "10 days"}, "64 x h100-sxm"))
    compute = 6 * by_time.model.params * by_time.data.tokens
    by_compute = make_plan(spec({"compute": compute}, "64 x h100-sxm"))
    assert by_compute.estimates.wall_time_s.value == pytest.approx(10 * 86400, rel=0.05)


def test_pinned_tokens_and_size_that_disagree_with_the_compute_name_both():
    wrong = spec({"compute": 1e22}, model={"shape": LLAMA_3_8B}, data={"tokens": "1T tokens"})
    with pytest.raises(ContradictionError, match=r"budget\.compute") as caught:
        make_plan(wrong)
    assert caught.value.problem.path == ("data", "tokens")
    assert ("budget", "compute") in caught.value.problem.also


def test_compute_that_does_not_fit_the_hours_names_both():
    with pytest.raises(ContradictionError, match=r"budget\.compute and budget\.time disagree") as caught:
        make_plan(spec({"compute": 1e22, "time": "365 days"}, "512 x h100-sxm"))
    assert caught.value.problem.path == ("budget", "compute")


def test_compute_beside_hours_that_agree_is_planned():
    hours = make_plan(spec({"compute": 1e22}, "64 x h100-sxm")).estimates.accelerator_hours.value
    both = spec({"compute": 1e22, "accelerator_hours": f"{hours * 1.05} GPU-hours"}, "64 x h100-sxm")
    assert make_plan(both).budget.compute_flops == 1e22


def test_pinned_tokens_and_shape_beside_hours_are_checked_against_the_predicted_time():
    wrong = spec({"time": "1 day"}, model={"shape": LLAMA_3_8B}, data={"tokens": "1T tokens"})
    with pytest.raises(ContradictionError, match=r"data\.tokens and budget\.time disagree"):
        make_plan(wrong)


def test_pinned_tokens_choose_the_largest_model_that_the_budget_pays_for():
    plan = make_plan(spec({"compute": 1e22}, "64 x h100-sxm", data={"tokens": "1T tokens"}))
    assert plan.data.tokens == pytest.approx(1e12, rel=0.01)
    assert 0.7e22 < 6 * plan.model.params * plan.data.tokens <= 1e22


def test_a_pinned_shape_is_taken_as_it_is():
    plan = make_plan(spec({"compute": 1e22}, "64 x h100-sxm", model={"shape": LLAMA_3_8B, "vocab_size": 128256}))
    assert plan.model.shape.plain() == LLAMA_3_8B
    assert plan.model.padded_vocab_size == 129024
    assert next(d for d in plan.decisions if d.what == "model.shape").pinned


def test_a_pinned_batch_is_honoured_and_its_rounding_told():
    even = make_plan(spec({"compute": 1e21}, training={"global_batch": "1048576 tokens"}))
    odd = make_plan(spec({"compute": 1e21}, training={"global_batch": "1050000 tokens"}))
    assert even.training.global_batch == odd.training.global_batch == 256
    assert not [w for w in even.warnings if "global_batch" in w]
    assert [w for w in odd.warnings if "training.global_batch" in w and "sequence_length" in w]


def test_repetition_beyond_four_epochs_is_flagged():
    scarce = [{"name": "books", "unique_tokens": "1B tokens"}, {"name": "web", "unique_tokens": "1T tokens"}]
    plan = make_plan(spec({"compute": 1e21}, data={"sources": scarce}))
    flagged = [w for w in plan.warnings if "epochs" in w]
    assert len(flagged) == 1
    assert "'books'" in flagged[0]


def test_extrapolation_says_how_many_decades_outside():
    plan = make_plan(spec({"compute": 1e25}, "8192 x h100-sxm"))
    assert any("decades outside" in warning for warning in plan.warnings)
    assert plan.estimates.loss.extrapolated
    inside = make_plan(spec({"compute": 1e21}))
    assert not inside.estimates.loss.extrapolated


def test_a_law_that_is_worse_than_guessing_is_called_out():
    plan = make_plan(spec({"time": "1 min"}, "1 x cpu-2core", model={"sequence_length": 128}))
    assert any("guessing" in warning for warning in plan.warnings)


def test_a_budget_below_one_step_is_infeasible():
    with pytest.raises(InfeasibleError, match="global_batch"):
        make_plan(spec({"compute": 1e18}, training={"global_batch": "100B tokens"}))


def test_bf16_is_refused_where_the_catalog_has_no_peak_for_it():
    with pytest.raises(ContradictionError, match=r"training\.precision"):
        make_plan(spec({"compute": 1e12}, "1 x cpu-2core", training={"precision": "bf16"}))


def test_one_cpu_process_needs_no_parallelism():
    plan = make_plan(spec({"time": "2 min"}, "1 x cpu-2core", model={"sequence_length": 128, "params": "2M params"}))
    one = plan.layout
    assert (one.tensor, one.pipeline, one.virtual_pipeline, one.data) == (1, 1, 1, 1)
    assert plan.training.precision == "fp32"
    assert one.distributed_optimizer, "with one replica too, so that any layout can resume the run"


def test_llama_3_405b_is_planned_near_what_its_authors_did():
    """30.84 million H100-hours (model card); the plan's interval of accelerator-hours holds it."""
    plan = make_plan(load_budget(next(path for path in EXAMPLES if path.stem == "h100-405b")))
    one = plan.layout
    assert (one.tensor, one.pipeline, one.context * one.data) == (8, 16, 128)
    assert plan.estimates.accelerator_hours.low < 30.84e6 < plan.estimates.accelerator_hours.high
    assert plan.data.tokens == pytest.approx(15.6e12, rel=0.01)


def test_the_schedule_covers_all_steps():
    cosine = make_plan(spec({"compute": 1e21})).training
    assert cosine.warmup_steps + cosine.decay_steps == cosine.steps
    wsd = make_plan(spec({"compute": 1e21}, training={"schedule": "wsd"})).training
    assert wsd.decay_steps == round(0.2 * wsd.steps)


def test_checkpoints_follow_youngs_rule_on_a_large_cluster_and_ten_on_a_small_one():
    large = make_plan(spec({"compute": 1e25}, "8192 x h100-sxm"))
    assert 60 < large.checkpoints.every_steps * large.estimates.step_time_s.value < 7200
    small = make_plan(spec({"compute": 1e19}))
    assert small.training.steps / 10 <= small.checkpoints.every_steps <= small.training.steps / 10 + 1


def test_a_published_mixture_of_experts_is_planned_and_told_by_what_a_token_passes():
    """DeepSeek-V3 on its own cluster: 2.664M H800-hours of pre-training (arXiv:2412.19437, table 1, FP8)."""
    asked = {"data": {"tokens": 14.8e12}, "model": {"family": "deepseek-v3"}, "training": {"global_batch": 63e6}}
    plan = make_plan(spec({"compute": 3.34e24}, "2048 x h100-sxm", **asked))
    assert plan.model.params == pytest.approx(671e9, rel=1e-3)
    assert plan.model.active_params == pytest.approx(37e9, rel=0.02)
    assert plan.model.architecture is not None
    assert plan.model.architecture.experts is not None
    assert plan.model.sequence_length == 4096
    assert plan.layout.expert > 1
    assert plan.estimates.accelerator_hours.low < 2 * 2.664e6, "BF16 takes at most twice as long as FP8"
    assert any("the law knows dense models" in warning for warning in plan.warnings)


def test_a_llama_of_the_catalog_is_the_decoder_that_the_runner_trains():
    plan = make_plan(spec({"compute": 1e24}, "512 x h100-sxm", model={"family": "llama-3-8b"}))
    assert plan.model.architecture is None
    assert plan.model.params == 8_030_261_248 + 2 * (129_024 - 128_256) * 4096, "but for the padding of its vocabulary"
    assert plan.model.sequence_length == 8192


def test_a_pinned_batch_that_is_no_whole_number_of_sequences_becomes_one_that_splits_well():
    plan = make_plan(spec({"compute": 1e22}, "64 x h100-sxm", training={"global_batch": 63e6}))
    assert plan.training.global_batch == 15_360
    whole = make_plan(spec({"compute": 1e22}, "64 x h100-sxm", training={"global_batch": 15_376 * 4096}))
    assert whole.training.global_batch == 15_376


def test_the_fastest_precision_is_chosen_only_where_the_spec_asks_for_it():
    asked = {"model": {"family": "llama-3-70b"}, "data": {"tokens": 1e12}}
    plain, fastest = (
        make_plan(spec({"compute": 4.25e23}, "512 x h100-sxm", training={"precision": precision}, **asked))
        for precision in ("auto", "fastest")
    )
    assert (plain.training.precision, fastest.training.precision) == ("bf16", "fp8")
    assert fastest.estimates.wall_time_s.value < plain.estimates.wall_time_s.value
    assert any("fp8" in warning for warning in fastest.warnings)
    why = next(each for each in fastest.decisions if each.what == "training.precision")
    assert f"bf16 {plain.estimates.step_time_s.value:.3g} s a step" in why.reason
    assert not why.pinned


def test_hours_buy_more_tokens_in_the_precision_that_is_chosen():
    plain, fastest = (
        make_plan(spec({"time": "5 days"}, "64 x h100-sxm", training={"precision": precision}))
        for precision in ("bf16", "fastest")
    )
    assert fastest.estimates.loss.value <= plain.estimates.loss.value
