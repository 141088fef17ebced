"""What each published law says, at the values its source prints."""

import pytest

from sixnd.planner.law_choices import allocated_params, kaplan_loss, kaplan_optimal_params, law_choices, power_loss
from sixnd.planner.moe import dense_equivalent, granular_allocation, granular_surface, routed_loss
from sixnd.specs import catalog
from sixnd.specs.errors import InfeasibleError
from sixnd.specs.laws import NamedLaw

PF_DAY = 8.64e19


def test_kaplan_s_laws_at_a_petaflop_s_day():
    assert allocated_params(catalog.law("kaplan-2020-allocation"), PF_DAY) == pytest.approx(1.3e9)
    assert power_loss(catalog.law("kaplan-2020-compute"), PF_DAY) == pytest.approx(2.6581, abs=5e-5)
    assert power_loss(catalog.law("kaplan-2020-params"), 1.5e9) == pytest.approx(2.3036, abs=5e-5)
    assert power_loss(catalog.law("kaplan-2020-tokens"), 22e9) == pytest.approx(2.0992, abs=5e-5)


def test_kaplan_s_critical_batch():
    law = catalog.law("kaplan-2020-critical-batch")
    assert law.coefficient / 3**law.exponent == pytest.approx(1.069e6, rel=5e-4)


@pytest.mark.parametrize("compute", [1e18, 1e21, 1e24])
def test_kaplan_s_optimum_is_the_least_of_its_joint_loss(compute):
    law = catalog.law("kaplan-2020")
    best = kaplan_optimal_params(law, compute)
    least = kaplan_loss(law, best, compute / 6 / best)
    assert all(kaplan_loss(law, best * f, compute / 6 / best / f) > least for f in (0.8, 0.99, 1.01, 1.25))


def test_cerebras_gpt_s_loss_is_that_of_its_13b_model():
    predicted = power_loss(catalog.law("cerebras-gpt-2023"), 2.3e22)
    assert predicted == pytest.approx(1.5796, abs=5e-5)
    assert predicted == pytest.approx(1.575, rel=5e-3)  # measured: Cerebras-GPT 13B on the Pile


def test_deepseek_s_model_scale():
    scale = 6 * allocated_params(catalog.law("deepseek-2024"), 1e20)
    assert scale == pytest.approx(5.251e9, rel=5e-4)
    assert 1e20 / scale == pytest.approx(1.905e10, rel=5e-4)


@pytest.mark.parametrize(
    ("name", "params", "compute", "published"),
    [
        ("hoffmann-2022-approach-1", 4e8, 1.92e19, "Table 3"),
        ("hoffmann-2022-approach-1", 67e9, 5.76e23, "Table 3"),
        ("hoffmann-2022-approach-2", 4e8, 1.84e19, "Table A3"),
        ("hoffmann-2022-approach-2", 1e9, 1.20e20, "Table A3"),
    ],
)
def test_hoffmann_s_lines_pass_through_their_tables(name, params, compute, published):
    assert allocated_params(catalog.law(name), compute) == pytest.approx(params, rel=0.015), published


def test_laws_disagree_fivefold_on_tokens_per_parameter_at_chinchilla_s_budget():
    ratios = {c.law: c.tokens / c.params for c in law_choices(5.76e23) if c.params}
    assert ratios["hoffmann-2022-rounded"] == pytest.approx(92.6, rel=1e-3)
    assert ratios["hoffmann-2022"] == pytest.approx(58.9, rel=1e-3)
    assert ratios["besiroglu-2024"] == pytest.approx(18.4, rel=1e-3)
    assert ratios["muennighoff-2023"] == pytest.approx(19.6, rel=1e-3)


def test_a_law_of_one_s_own_is_told_first_and_every_choice_spends_the_budget():
    own = NamedLaw(name="ours", law=catalog.planning_law("hoffmann-2022").law)
    choices = law_choices(1e21, own)
    assert choices[0].law == "ours"
    dense = [c for c in choices if c.params and "mixture" not in c.note]
    assert all(6 * c.params * c.tokens == pytest.approx(1e21) for c in dense)


def test_intervals_hold_their_value_and_extrapolation_is_told():
    for choice in law_choices(1e25):
        if choice.params_interval:
            assert choice.params_interval[0] < choice.params < choice.params_interval[1]
            assert choice.loss_interval[0] < choice.loss < choice.loss_interval[1]
            assert choice.decades_outside > 2


def test_experts_are_worth_parameters_inside_the_range_of_their_law():
    law = catalog.law("clark-2022-s-base")
    worth = [dense_equivalent(law, 3e8, experts) for experts in (1, 8, 64, 512)]
    assert worth == sorted(worth)
    assert worth[0] == pytest.approx(3e8)
    assert routed_loss(law, 3e8, 64) < routed_loss(law, 3e8, 8)


@pytest.mark.parametrize(("params", "experts"), [(1e11, 64), (3e8, 4096)])
def test_experts_outside_the_range_are_refused_with_the_range(params, experts):
    with pytest.raises(InfeasibleError, match="512 experts"):
        dense_equivalent(catalog.law("clark-2022-s-base"), params, experts)


def test_finer_experts_lower_the_loss_and_spend_the_budget():
    law = catalog.law("krajewski-2024")
    coarse, fine = (granular_allocation(law, 1e20, granularity) for granularity in (1, 16))
    assert fine.loss < coarse.loss
    assert 6 * fine.active_params * fine.tokens == pytest.approx(1e20)
    with pytest.raises(InfeasibleError, match="granularity"):
        granular_surface(law, 64)
