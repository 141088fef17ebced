import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.planner import laws
from sixnd.specs import catalog

LAWS = catalog.planning_laws()
compute = st.floats(17, 27).map(lambda exponent: 10**exponent)


@pytest.mark.parametrize(
    ("name", "params", "tokens", "loss"),
    [
        ("besiroglu-2024", 7.225e10, 1.329e12, 1.9744),
        ("hoffmann-2022", 4.036e10, 2.379e12, 1.9184),
        ("hoffmann-2022-rounded", 3.219e10, 2.982e12, 1.9307),
    ],
)
def test_the_closed_form_gives_the_published_optimum_at_chinchillas_budget(name, params, tokens, loss):
    best = laws.optimum(catalog.law(name), 5.76e23)
    assert best.params == pytest.approx(params, rel=1e-3)
    assert best.tokens == pytest.approx(tokens, rel=1e-3)
    assert best.loss == pytest.approx(loss, abs=1e-4)


@given(st.sampled_from(LAWS), compute)
def test_no_other_split_of_the_budget_has_a_lower_loss(name, budget):
    law = catalog.law(name)
    best = laws.optimum(law, budget)
    for factor in (0.5, 0.9, 1.1, 2.0):
        params = best.params * factor
        assert laws.loss(law, params, budget / 6 / params) > best.loss


@given(st.sampled_from(LAWS), compute)
def test_the_optimum_spends_exactly_the_budget(name, budget):
    best = laws.optimum(catalog.law(name), budget)
    assert 6 * best.params * best.tokens == pytest.approx(budget, rel=1e-12)


def test_the_interval_of_n_agrees_with_the_published_bootstrap():
    """Percentiles 10 and 90 of N* of 4,000 case resamples: 57.5e9 and 98.6e9 at 5.76e23 FLOPs, before widening."""
    found = laws.params_interval(catalog.law("besiroglu-2024"), 5.76e23)
    best = laws.optimum(catalog.law("besiroglu-2024"), 5.76e23)
    widening = 1 + laws.WIDENING_PER_DECADE * laws.decades_outside(
        catalog.law("besiroglu-2024"), best.params, best.tokens
    )
    ratio = (found.high / found.low) ** (1 / widening)
    assert ratio == pytest.approx(98.6 / 57.5, rel=0.08)


@given(st.sampled_from(LAWS), compute, st.floats(1.0, 100))
def test_intervals_hold_the_value_and_never_narrow_further_outside_the_range(name, budget, factor):
    law = catalog.law(name)
    best = laws.optimum(law, budget)
    near = laws.loss_interval(law, best.params, best.tokens)
    assert near.low < best.loss < near.high
    params, tokens = law.fitted_params[1] * factor, law.fitted_tokens[1] * factor
    further = laws.loss_interval(law, params * 10, tokens * 10)
    closer = laws.loss_interval(law, params, tokens)
    assert further.high / further.low > closer.high / closer.low


def test_decades_outside_count_from_the_nearest_edge():
    law = catalog.law("besiroglu-2024")
    assert laws.decades_outside(law, 1e9, 2e10) == 0
    assert laws.decades_outside(law, 1e9, law.fitted_tokens[1] * 100) == pytest.approx(2)
    assert laws.decades_outside(law, law.fitted_params[0] / 10, 1e10) == pytest.approx(1)
