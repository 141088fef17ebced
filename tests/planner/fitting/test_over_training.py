import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.planner.fitting.over_training import OverTrainingLaw, as_over_training, as_surface, fit_over_training
from sixnd.planner.fitting.runs import Runs
from sixnd.planner.laws import Surface
from sixnd.specs.errors import SixndError

laws = st.builds(OverTrainingLaw, E=st.floats(1, 2), a=st.floats(1, 1e4), b=st.floats(1, 1e5), eta=st.floats(0.05, 0.4))
computes, ratios = st.floats(1e16, 1e26), st.floats(0.5, 2e4)


@given(law=laws, compute=computes, ratio=ratios)
def test_both_forms_give_the_same_loss(law, compute, ratio):
    params, tokens = np.sqrt(compute / (6 * ratio)), np.sqrt(compute * ratio / 6)
    assert as_surface(law).loss(params, tokens) == pytest.approx(law.loss(compute, ratio), rel=1e-12)


@given(law=laws)
def test_conversions_go_back_to_where_they_came_from(law):
    there = as_over_training(as_surface(law))
    assert (there.E, there.a, there.b, there.eta) == pytest.approx((law.E, law.a, law.b, law.eta), rel=1e-12)


@given(law=laws, compute=computes, off=st.floats(0.01, 100))
def test_the_best_ratio_is_the_surfaces_optimum_and_no_other_ratio_is_better(law, compute, off):
    best = law.best_tokens_per_param
    params = as_surface(law).optimal_params(compute)
    assert compute / (6 * params**2) == pytest.approx(best, rel=1e-6)
    reducible = law.loss(compute, best) - law.E
    assert law.loss(compute, best * off) >= law.loss(compute, best) - 1e-12
    assert law.worse_by(best * off) >= 1
    assert law.loss(compute, best * off) - law.E == pytest.approx(law.worse_by(best * off) * reducible, rel=1e-6)


@given(law=laws, ratio=ratios)
def test_over_training_costs_the_same_share_at_every_compute(law, ratio):
    shares = [(law.loss(C, ratio) - law.E) / (law.loss(C, 20.0) - law.E) for C in (1e18, 1e22)]
    assert shares[0] == pytest.approx(shares[1], rel=1e-6)


def test_a_surface_with_two_exponents_has_no_such_form():
    with pytest.raises(SixndError, match="α = β"):
        as_over_training(Surface(1.7, 400, 400, 0.34, 0.28))


def test_a_known_law_is_fitted_from_runs_over_trained_up_to_640_tokens_a_parameter():
    law = OverTrainingLaw(E=1.8, a=120.0, b=400.0, eta=0.14)
    compute, ratio = (x.ravel() for x in np.meshgrid(np.geomspace(1e18, 1e21, 5), [5, 20, 80, 320, 640]))
    params = np.sqrt(compute / (6 * ratio))
    found, fit = fit_over_training(Runs(params, params * ratio, law.loss(compute, ratio)))
    assert fit.tied
    assert (found.E, found.a, found.b, found.eta) == pytest.approx((1.8, 120, 400, 0.14), rel=1e-4)
    assert found.best_tokens_per_param == pytest.approx(law.best_tokens_per_param, rel=1e-4)
