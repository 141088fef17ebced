import csv
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sixnd.planner import laws
from sixnd.planner.hyperparameter_laws import Choice, Point, choice, choices
from sixnd.planner.hyperparameters import LARGEST_RATE, global_batch
from sixnd.planner.plan import make_plan
from sixnd.specs import catalog
from sixnd.specs.errors import ContradictionError
from tests.planner.building import spec
from tests.planner.shared_data import shared

ANYWHERE = Point(1e9, 2e10, 2.8)


def at_7b() -> dict[str, Choice]:
    """What each law chooses for 7B parameters on 1.4T tokens."""
    loss = laws.loss(catalog.law("besiroglu-2024"), 7e9, 1.4e12)
    return {found.law: found for found in choices(7e9, 1.4e12, loss)}


def reason(plan, what: str) -> str:
    return next(decision.reason for decision in plan.decisions if decision.what == what)


def test_step_law_gives_its_published_values():
    found = at_7b()["step-law-2025"]
    assert found.learning_rate == pytest.approx(9.347e-4, rel=1e-4)
    assert found.batch_tokens == pytest.approx(4.997e6, rel=1e-4)
    assert found.batch_tokens / 2048 == pytest.approx(2439.9, abs=0.1)
    assert at_7b()["step-law-2025-rounded"].learning_rate == pytest.approx(9.166e-4, rel=1e-4)


def test_step_law_is_the_mean_of_its_authors_bootstrap_fits():
    with shared("scaling/steplaw/1004_fitted_lr_bs_scaling_model_parameters.csv").open() as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    mean = {name: math.fsum(row[name] for row in rows) / len(rows) for name in rows[0]}
    law = catalog.hyperparameter_law("step-law-2025")
    assert law.learning_rate.coefficient == pytest.approx(math.exp(mean["lr_intercept"]), rel=1e-9)
    assert law.learning_rate.exponents["params"] == pytest.approx(mean["lr_coefN"], rel=1e-9)
    assert law.learning_rate.exponents["tokens"] == pytest.approx(mean["lr_coefD"], rel=1e-9)
    assert law.batch_tokens.coefficient == pytest.approx(math.exp(mean["bs_intercept"]), rel=1e-9)
    assert law.batch_tokens.exponents["tokens"] == pytest.approx(mean["bs_coefD"], rel=1e-9)


def test_deepseek_gives_its_published_values_at_1e20_flops():
    found = choice("deepseek-2024", Point(1e9, 1e20 / 6e9, 3.0))
    assert found.learning_rate == pytest.approx(9.860e-4, rel=1e-4)
    assert found.batch_tokens == pytest.approx(1.017e6, rel=1e-3)


def test_the_laws_disagree_at_7b_as_their_papers_do():
    found = at_7b()
    rates = {"deepseek-2024": 4.4e-4, "porian-2024": 1.06e-3, "kaplan-2020": 7.7e-5, "step-law-2025": 9.3e-4}
    batches = {"deepseek-2024": 8.2e6, "porian-2024": 6.3e6, "minicpm-2024": 12.8e6, "step-law-2025": 5.0e6}
    for name, rate in rates.items():
        assert found[name].learning_rate == pytest.approx(rate, rel=0.015), name
    for name, batch in batches.items():
        assert found[name].batch_tokens == pytest.approx(batch, rel=0.01), name


def test_kaplans_batch_is_the_critical_batch():
    assert choice("kaplan-2020", Point(1e9, 1e10, 3.0)).batch_tokens == pytest.approx(1.069e6, rel=1e-3)


def test_kaplans_learning_rate_is_refused_with_words_where_it_would_be_negative():
    found = choice("kaplan-2020", Point(7e10, 1.4e12, 1.9))
    assert found.learning_rate is None
    assert "breaks down above 1e+10 parameters" in found.why_not
    assert "-0.00024" in found.why_not
    assert found.batch_tokens is not None


def test_a_law_without_a_learning_rate_says_so_and_gives_its_batch():
    found = choice("minicpm-2024", ANYWHERE)
    assert found.learning_rate is None
    assert found.why_not == "it gives no learning rate"
    assert found.batch_tokens == pytest.approx(1.21e9 / 2.8**6.24)


@pytest.mark.parametrize(
    ("name", "point", "decades"),
    [
        ("step-law-2025", Point(1e9, 1e11, 2.5), 0.0),
        ("step-law-2025", Point(1e10, 1e12, 2.5), 1.0),
        ("deepseek-2024", Point(1e9, 1e16 / 6e9, 5.0), 1.0),
        ("deepseek-2024", Point(1e9, 2e21 / 6e9, 2.5), 2.0),
        ("minicpm-2024", Point(1.7e10, 1e11, 2.5), 2.0),
    ],
)
def test_decades_outside_are_those_of_the_input_that_is_farthest(name, point, decades):
    assert choice(name, point).decades_outside == pytest.approx(decades, abs=1e-9)


@pytest.mark.parametrize("name", ["minicpm-2024", "kaplan-2020"])
def test_a_law_that_cannot_choose_the_learning_rate_is_refused_until_the_spec_gives_one(name):
    big = {"hyperparameter_law": name, "model": {"params": "70B params"}}
    with pytest.raises(ContradictionError, match=r"training\.learning_rate.*step-law-2025") as error:
        make_plan(spec({"compute": 1e24}, "1024 x h100-sxm", **big))
    assert error.value.problem.path == ("hyperparameter_law",)
    plan = make_plan(spec({"compute": 1e24}, "1024 x h100-sxm", training={"learning_rate": 2e-4}, **big))
    assert plan.training.learning_rate == 2e-4


def test_the_plan_tells_what_every_law_would_choose_and_which_are_outside_their_range():
    plan = make_plan(spec({"compute": 1e21}))
    for field, without in (("training.learning_rate", {"minicpm-2024"}), ("training.global_batch", set())):
        told = reason(plan, field)
        for name in set(catalog.names("hyperparameter-laws")) - without:
            assert f"{name} " in told
        assert "decades outside its range" in told
    assert "minicpm-2024" not in reason(plan, "training.learning_rate")


@pytest.mark.parametrize(("rule", "power"), [("square-root", 0.5), ("linear", 1.0), ("none", 0.0)])
def test_a_pinned_batch_moves_the_learning_rate_from_the_same_laws_batch_by_the_rule(rule, power):
    pinned = make_plan(spec({"compute": 1e21}, training={"global_batch": 2**22, "batch_scaling": rule}))
    at = choice("step-law-2025", Point(pinned.model.params_non_embedding, pinned.data.tokens, 2.5))
    expected = at.learning_rate * (2**22 / at.batch_tokens) ** power
    assert pinned.training.learning_rate == pytest.approx(expected, rel=1e-9)
    told = reason(pinned, "training.learning_rate")
    assert f"{at.learning_rate:.4g}" in told
    assert f"{at.batch_tokens:,.0f}" in told
    assert rule in told or rule == "none"


def test_a_pinned_batch_leaves_a_pinned_learning_rate():
    plan = make_plan(spec({"compute": 1e21}, training={"global_batch": 2**22, "learning_rate": 1e-3}))
    assert plan.training.learning_rate == 1e-3


def test_without_a_pinned_batch_the_learning_rate_is_the_laws_own():
    plan = make_plan(spec({"compute": 1e21}))
    at = choice("step-law-2025", Point(plan.model.params_non_embedding, plan.data.tokens, 2.5))
    assert plan.training.learning_rate == pytest.approx(at.learning_rate, rel=1e-12)


@given(st.sampled_from([1, 6, 8, 24, 512, 1536]), st.floats(9, 13).map(lambda e: 10**e))
@settings(max_examples=40)
def test_an_automatic_batch_divides_over_the_odd_part_of_the_cluster(count, tokens):
    batch = global_batch(spec({"compute": 1e20}, f"{count} x h100-sxm"), Point(1e9, tokens, 2.5))
    odd = count
    while odd % 2 == 0:
        odd //= 2
    assert batch.sequences % odd == 0
    if batch.wanted_tokens > 16 * odd * 4096:
        assert abs(batch.deviation(4096)) <= 0.25


def test_an_automatic_batch_divides_over_pinned_replicas():
    pinned = spec({"compute": 1e20}, "24 x h100-sxm", layout={"data": 12, "micro_batch": 2})
    assert global_batch(pinned, Point(1e9, 1e11, 2.5)).sequences % 24 == 0


def test_the_cost_of_several_horizons_is_counted_by_the_cooldowns_share():
    plan = make_plan(spec({"compute": 1e21}, training={"schedule": "wsd", "decay_fraction": 0.1}))
    told = reason(plan, "training.schedule: wsd against cosine")
    assert "1.07 runs with wsd" in told or "1.08 runs with wsd" in told
    assert "1.75 with cosine" in told


def test_the_optimizers_timescale_is_told():
    plan = make_plan(spec({"compute": 1e21}))
    trained = plan.training
    tau = 1 / (trained.learning_rate * trained.weight_decay * trained.steps)
    assert f"{tau:.3g} of the run" in reason(plan, "training.adam")
    assert "without weight decay" in reason(
        make_plan(spec({"compute": 1e21}, training={"weight_decay": 0})), "training.adam"
    )


MUP = {"parametrization": "mup", "mup_base_width": 256, "learning_rate": 1e-2}


def test_mup_scales_what_the_table_says_and_nothing_at_the_base_width():
    plan = make_plan(spec({"compute": 1e21}, training=MUP))
    wide, m = plan.model.shape.hidden / 256, plan.training.mup
    assert wide > 4
    assert plan.training.learning_rate == 1e-2
    assert m.hidden_lr_multiplier == m.logit_multiplier == pytest.approx(1 / wide)
    assert m.hidden_lr_multiplier * m.hidden_weight_decay_multiplier == pytest.approx(1)
    assert plan.training.init_std == pytest.approx(m.embedding_init_std / math.sqrt(wide))
    assert m.attention_scale == pytest.approx(1 / math.sqrt(plan.model.head_dim))
    same = make_plan(spec({"compute": 1e21}, training=MUP | {"mup_base_width": plan.model.shape.hidden})).training
    assert same.mup.embedding_init_std == same.init_std
    assert same.mup.hidden_lr_multiplier == same.mup.hidden_weight_decay_multiplier == same.mup.logit_multiplier == 1


def test_mup_divides_attention_by_the_head_dimension_where_heads_grow_in_size():
    m = make_plan(spec({"compute": 1e21}, training=MUP | {"mup_base_head_dim": 32})).training.mup
    assert m.attention_scale == pytest.approx(math.sqrt(32) / 128)


@pytest.mark.parametrize(
    "training",
    [{"parametrization": "mup"}, {"mup_base_width": 256}, {k: MUP[k] for k in ("parametrization", "mup_base_width")}],
)
def test_mup_needs_its_base_and_a_tuned_learning_rate(training):
    with pytest.raises(ValidationError, match="mup"):
        spec({"compute": 1e21}, training=training)


def test_the_standard_parametrization_plans_no_mup():
    plan = make_plan(spec({"compute": 1e21}))
    assert plan.training.mup is None
    assert not [decision for decision in plan.decisions if "parametrization" in decision.what]


def test_a_rate_beyond_any_the_laws_were_fitted_on_is_cut_and_said_so():
    asked = spec({"compute": 5e11}, "1 x cpu-2core", model={"vocab_size": 512, "sequence_length": 128})
    made = make_plan(asked)
    (told,) = (d for d in made.decisions if d.what == "training.learning_rate")
    assert made.training.learning_rate == LARGEST_RATE
    assert "is cut to 0.01" in told.reason
    assert "measured" in told.source
