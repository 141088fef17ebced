from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.planner.fitting.data_constrained import (
    DataConstrainedLaw,
    called_for,
    effective_params,
    effective_tokens,
    fit_repetition,
    least_repeated_loss,
    loss_floor,
    repeated_loss,
    worth,
)
from sixnd.specs.errors import SixndError
from tests.planner.fitting.published import column, rows

# Muennighoff et al. 2023, C4, from the repository's README (ln A, ln B and ln E there).
LAW = DataConstrainedLaw(
    E=float(np.exp(0.6254804)),
    A=float(np.exp(6.255414)),
    B=float(np.exp(7.3049974)),
    alpha=0.3526596,
    beta=0.3526596,
    tokens_decay=15.387756,
    params_decay=5.309743,
)
sizes, computes, uniques = st.floats(1e7, 1e12), st.floats(1e18, 1e25), st.floats(1e8, 1e13)


def loss(law, params, tokens, unique):
    return float(repeated_loss(law, np.array(params), np.array(tokens), np.array(unique)))


def test_published_losses_of_figure_1_are_reproduced_to_the_last_digit():
    assert loss(LAW, 6.34e9, 242e9, 25e9) == pytest.approx(2.2256440889984477, abs=1e-15)
    assert loss(LAW, 8.67e9, 178e9, 25e9) == pytest.approx(2.2269634075087867, abs=1e-15)


def test_the_allocation_is_the_continuous_optimum_and_no_grid_beats_it():
    best = least_repeated_loss(LAW, 1e22, 25e9)
    assert best.params == pytest.approx(7.02616e9, rel=1e-6)
    assert best.tokens == pytest.approx(2.37209e11, rel=1e-5)
    assert best.epochs == pytest.approx(9.4884, abs=1e-4)
    assert best.loss == pytest.approx(2.22212927, abs=5e-9)
    # The grid of the repository around the optimum for fresh data gives what it prints.
    fresh = np.sqrt(1e22 / 6) * (LAW.A / LAW.B) ** (1 / (2 * LAW.alpha))
    steps = np.linspace(1.0001, 3, 500)
    params = np.concatenate([fresh / steps, fresh * steps])
    losses = repeated_loss(LAW, params, 1e22 / 6 / params, np.array(25e9))
    chosen = params[np.argmin(losses)]
    assert chosen == pytest.approx(7022364735.88, abs=0.01)
    assert 1e22 / 6 / chosen == pytest.approx(237336955477.55, abs=0.01)
    assert 1e22 / 6 / chosen / 25e9 == pytest.approx(9.4935, abs=5e-5)
    assert best.loss <= losses.min()


@given(params=sizes, tokens=st.floats(1e8, 1e14), unique=uniques)
def test_repeated_tokens_are_worth_less_than_fresh_and_more_than_none(params, tokens, unique):
    n, d, u = np.array(params), np.array(tokens), np.array(unique)
    effective = float(effective_tokens(LAW, d, u))
    assert min(tokens, unique) * (1 - 1e-9) <= effective <= tokens * (1 + 1e-9)
    assert effective <= unique * (1 + LAW.tokens_decay) * (1 + 1e-9)
    assert float(effective_params(LAW, n, u)) <= params * (1 + 1e-9)
    # Counting every token as unique only helps, until they call for a model that large.
    assert loss(LAW, params, tokens, tokens) <= loss(LAW, params, tokens, unique) + 1e-12


@given(compute=computes, unique=uniques, more=st.floats(1, 100))
def test_more_compute_or_more_unique_tokens_never_raise_the_least_loss(compute, unique, more):
    base = least_repeated_loss(LAW, compute, unique).loss
    assert least_repeated_loss(LAW, compute * more, unique).loss <= base + 1e-12
    assert least_repeated_loss(LAW, compute, unique * more).loss <= base + 1e-12
    assert base >= loss_floor(LAW, unique) - 1e-12


@given(compute=computes, unique=uniques, off=st.floats(0.2, 5))
def test_no_other_split_of_the_compute_is_better(compute, unique, off):
    best = least_repeated_loss(LAW, compute, unique)
    assert 6 * best.params * best.tokens == pytest.approx(compute, rel=1e-9)
    assert best.loss <= loss(LAW, best.params * off, best.tokens / off, unique) + 1e-12


def test_with_unique_tokens_to_spare_the_chinchilla_optimum_is_chosen():
    best = least_repeated_loss(LAW, 1e22, 1e13)
    G = (LAW.A / LAW.B) ** (1 / (2 * LAW.alpha))
    assert best.params == pytest.approx(G * np.sqrt(1e22 / 6), rel=1e-4)
    assert best.epochs == 1
    assert float(called_for(LAW, np.array(best.tokens))) == pytest.approx(best.params, rel=1e-4)


def test_the_worth_of_four_epochs_is_almost_that_of_fresh_tokens():
    """Muennighoff et al. 2023: up to four epochs repeated data do about what unique data would."""
    told = worth(LAW, 2.8e9, 100e9, 25e9)
    assert told.epochs == 4
    assert told.effective_tokens == pytest.approx(25e9 * (1 + 15.387756 * (1 - np.exp(-3 / 15.387756))), rel=1e-12)
    assert told.effective_tokens > 0.9 * 100e9
    assert told.next_token == pytest.approx(np.exp(-3 / 15.387756))
    assert 0 < told.loss / told.fresh_loss - 1 < 0.005
    assert worth(LAW, 2.8e9, 400e9, 25e9).next_token < told.next_token
    assert worth(LAW, 2.8e9, 10e9, 25e9).epochs == 1


@pytest.fixture(scope="module")
def c4():
    table = rows("scaling/muennighoff_datablations/datablations_c4_fit182.csv")
    return tuple(column(table, name) for name in ("N", "D", "U", "loss"))


def objective(law, params, tokens, unique, losses, delta=1e-3):
    residual = np.abs(np.log(repeated_loss(law, params, tokens, unique) / losses))
    return np.where(residual < delta, residual**2 / 2, delta * (residual - delta / 2)).sum()


def test_the_published_decays_are_only_a_local_optimum_of_their_own_objective(c4):
    assert objective(LAW, *c4) == pytest.approx(0.01582593, abs=6e-9)
    for decays, value in (((47.0, 2.33), 0.01580738), ((100.0, 1.68), 0.0158053)):
        other = replace(LAW, tokens_decay=decays[0], params_decay=decays[1])
        assert objective(other, *c4) == pytest.approx(value, abs=3e-8)
    fit = fit_repetition(LAW, *c4, draws=300)
    assert fit.objective == pytest.approx(objective(fit.law, *c4), rel=1e-9)
    assert fit.objective < 0.0158053
    for tokens_decay in np.geomspace(2, 1e4, 40):
        for params_decay in np.geomspace(0.1, 30, 40):
            assert fit.objective <= objective(replace(LAW, tokens_decay=tokens_decay, params_decay=params_decay), *c4)


def test_weak_identification_is_said_in_words(c4):
    fit = fit_repetition(LAW, *c4, draws=1000)
    (low, high), (n_low, n_high) = fit.intervals()
    assert 4 < low < 8
    assert high == np.inf
    assert 0.1 < n_low < 0.5
    assert 10 < n_high < 30
    assert fit.notes[0].startswith("R_D* is weakly identified: 95 % from")
    assert fit.notes[0].endswith("to effectively infinite")
    assert "R_N*" in fit.notes[1]


def test_known_decays_come_back_from_clean_and_from_noisy_runs():
    rng = np.random.default_rng(0)
    params, unique, epochs = (a.ravel() for a in np.meshgrid([1e8, 1e9, 5e9], [1e9, 5e9], [1, 2, 4, 8, 20, 60, 200]))
    truth = replace(LAW, tokens_decay=12.0, params_decay=4.0)
    clean = repeated_loss(truth, params, unique * epochs, unique)
    fit = fit_repetition(LAW, params, unique * epochs, unique, clean, draws=10)
    assert fit.law.tokens_decay == pytest.approx(12, rel=1e-4)
    assert fit.law.params_decay == pytest.approx(4, rel=1e-4)
    noisy = clean * np.exp(rng.normal(0, 2e-3, clean.size))
    fit = fit_repetition(LAW, params, unique * epochs, unique, noisy, draws=500)
    (low, high), (n_low, n_high) = fit.intervals()
    assert low < 12 < high < 1.5 * low
    assert n_low < 4 < n_high
    assert fit.notes == ()
    assert np.unique(fit.draws[:, 0]).size > 20


def test_runs_without_repetition_say_nothing_about_it():
    one = np.array([1e9, 2e9])
    with pytest.raises(SixndError, match="no run repeats its data"):
        fit_repetition(LAW, one, one, one, np.array([3.0, 2.9]))
