"""The allocator: published optima, and what must hold whatever the law."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.planner import laws
from sixnd.planner.allocation import (
    Question,
    compute_for_loss,
    params_for_compute,
    served_tokens,
    tokens_for_loss,
)
from sixnd.planner.laws import Surface
from sixnd.planner.repetition import Repetition
from sixnd.specs import catalog
from sixnd.specs.errors import InfeasibleError

BESIROGLU = laws.surface(catalog.law("besiroglu-2024"))
SARDANA = laws.surface(catalog.law("sardana-2024"))

exponents = st.floats(0.15, 0.7)
surfaces = st.builds(
    Surface, st.floats(0.1, 3), st.floats(5, 1000), st.floats(5, 5000), alpha=exponents, beta=exponents
)
computes = st.floats(18, 26).map(lambda e: 10**e)


def muennighoff(unique: float) -> Question:
    law = catalog.law("muennighoff-2023")
    surface = Surface(law.E, law.A, law.B, law.alpha, law.beta)
    once = np.array([1.0])
    return Question(surface, Repetition(once, np.array([unique]), law.repeated_tokens, law.excess_params, surface))


def best(question: Question, compute: float) -> tuple[float, float, float]:
    params = float(params_for_compute(question, compute))
    tokens = compute / 6 / params
    return params, tokens, float(question.loss(params, tokens))


def test_repetition_gives_the_losses_of_the_authors_notebook():
    question = muennighoff(25e9)
    assert question.loss(6.34e9, 242e9) == pytest.approx(2.2256440889984477, rel=1e-9)
    assert question.loss(8.67e9, 178e9) == pytest.approx(2.2269634075087867, rel=1e-9)


def test_repetition_s_optimum_is_the_continuous_one_of_the_authors_grid():
    params, tokens, loss = best(muennighoff(25e9), 1e22)
    assert params == pytest.approx(7.02616e9, rel=1e-5)
    assert tokens == pytest.approx(2.37209e11, rel=1e-5)
    assert tokens / 25e9 == pytest.approx(9.4884, rel=1e-5)
    assert loss == pytest.approx(2.22212927, rel=1e-8)


@given(surfaces, computes)
def test_without_serving_or_repetition_it_is_the_closed_form(surface, compute):
    assert params_for_compute(Question(surface), compute) == pytest.approx(surface.optimal_params(compute), rel=1e-9)


@given(surfaces, computes, st.floats(1, 1000))
def test_a_larger_budget_never_plans_a_higher_loss(surface, compute, factor):
    assert best(Question(surface), compute * factor)[2] <= best(Question(surface), compute)[2]


@given(surfaces, computes, st.floats(0.01, 100))
def test_fixing_n_or_d_never_beats_the_free_optimum(surface, compute, factor):
    params, _, loss = best(Question(surface), compute)
    other = params * factor
    assert surface.loss(other, compute / 6 / other) >= loss * (1 - 1e-12)


@given(surfaces, computes, st.floats(6, 15).map(lambda e: 10**e), st.floats(1, 100))
def test_inference_tokens_only_lower_n(surface, compute, served, factor):
    free, some, more = (
        params_for_compute(Question(surface, served_tokens=tokens), compute)
        for tokens in (0.0, served, served * factor)
    )
    assert more <= some <= free * (1 + 1e-12)


@given(surfaces, computes, st.floats(-3, 3).map(lambda e: 10**e), st.floats(-3, 3).map(lambda e: 10**e))
def test_scaling_units_never_changes_a_plan(surface, compute, per_param, per_token):
    """N and D counted in other units, with A and B to match, are the same model and the same tokens."""
    scaled = Surface(
        surface.E,
        surface.A * per_param**surface.alpha,
        surface.B * per_token**surface.beta,
        surface.alpha,
        surface.beta,
    )
    params = params_for_compute(Question(surface), compute)
    assert params_for_compute(Question(scaled), compute * per_param * per_token) == pytest.approx(
        params * per_param, rel=1e-9
    )


@given(surfaces, computes)
def test_the_least_compute_for_a_loss_is_the_budget_that_reaches_it(surface, compute):
    target = best(Question(surface), compute)[2]
    if target < surface.E * (1 + 1e-6):
        return  # so near the irreducible loss that a double cannot tell budgets apart
    assert compute_for_loss(Question(surface), target) == pytest.approx(compute, rel=1e-3)


@given(surfaces, computes, st.floats(8, 13).map(lambda e: 10**e))
def test_serving_costs_least_over_the_lifetime_for_its_loss(surface, compute, served):
    """Sardana et al. 2024: no other N reaches the same loss with fewer FLOPs of training and serving together."""
    params, tokens, loss = best(Question(surface, served_tokens=served), compute)
    lifetime = 6 * params * tokens + 2 * params * served
    others = params * np.array([0.8, 0.9, 1.1, 1.25])
    needed = tokens_for_loss(Question(surface), others, loss)
    assert np.all(6 * others * needed + 2 * others * served >= lifetime * (1 - 1e-6))


def test_sardana_s_worked_example():
    """§1: with 2T tokens of demand, 7B of a Chinchilla-13B's quality saves 1.7e22 FLOPs (17 %) of the lifetime."""
    tokens = _optimal_tokens(13e9)
    target = float(SARDANA.loss(13e9, tokens))
    question = Question(SARDANA, served_tokens=2e12)
    params = float(params_for_compute(question, float(compute_for_loss(question, target))))
    trained = float(tokens_for_loss(question, np.array([params]), target)[0])
    usual, best_of_life = (6 * N * D + 2 * N * 2e12 for N, D in ((13e9, tokens), (params, trained)))
    assert params == pytest.approx(7e9, rel=0.05)
    assert usual - best_of_life == pytest.approx(1.7e22, rel=0.05)
    assert 1 - best_of_life / usual == pytest.approx(0.17, abs=0.01)


def _optimal_tokens(params: float) -> float:
    s = SARDANA
    return float((s.beta * s.B / (s.alpha * s.A) * params**s.alpha) ** (1 / s.beta))


def test_a_target_at_or_below_the_irreducible_loss_is_refused():
    with pytest.raises(InfeasibleError, match="irreducible"):
        compute_for_loss(Question(BESIROGLU), 1.8)


def test_draws_for_which_no_compute_suffices_are_infinite():
    drawn = laws.draws(catalog.law("besiroglu-2024"))
    found = compute_for_loss(Question(drawn), 1.83)
    assert np.isinf(found).any()
    assert np.isfinite(found).any()


@given(st.floats(8, 12).map(lambda e: 10**e), computes)
def test_repetition_never_helps(unique, compute):
    limited = muennighoff(unique)
    assert best(limited, compute)[2] >= best(Question(limited.surface), compute)[2] * (1 - 1e-12)


def test_dearer_serving_counts_for_more_tokens():
    assert served_tokens(1e9, 1e9, output_cost=10) == 11e9
