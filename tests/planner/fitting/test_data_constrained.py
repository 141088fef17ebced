import numpy as np
import pytest

from sixnd.planner.allocation import Question
from sixnd.planner.fitting.data_constrained import fit_repetition
from sixnd.planner.fitting.runs import Runs
from sixnd.planner.laws import Surface
from sixnd.planner.repetition import Repetition
from sixnd.specs.errors import SixndError
from tests.planner.fitting.published import column, rows

# Muennighoff et al. 2023, C4, from the repository's README (ln A, ln B and ln E there).
C4 = Surface(np.exp(0.6254804), np.exp(6.255414), np.exp(7.3049974), 0.3526596, 0.3526596)
PUBLISHED = (15.387756, 5.309743)


def repeated(unique, decays=PUBLISHED):
    """The surface as runs on so many unique tokens see it."""
    return Question(C4, Repetition(np.ones(1), np.array([unique]), *decays, C4))


def test_the_published_grid_search_gives_what_its_repository_prints():
    fresh = float(C4.optimal_params(1e22))
    steps = np.linspace(1.0001, 3, 500)
    params = np.concatenate([fresh / steps, fresh * steps])
    tokens = 1e22 / 6 / params
    best = np.argmin(repeated(25e9).loss(params, tokens))
    assert params[best] == pytest.approx(7022364735.88, abs=0.01)
    assert tokens[best] == pytest.approx(237336955477.55, abs=0.01)
    assert tokens[best] / 25e9 == pytest.approx(9.4935, abs=5e-5)


def published_runs():
    table = rows("scaling/muennighoff_datablations/datablations_c4_fit182.csv")
    return Runs(column(table, "N"), column(table, "D"), column(table, "loss")), column(table, "U")


def objective(decays, runs, unique, delta=1e-3):
    losses = [repeated(U, decays).loss(N, D) for N, D, U in zip(runs.params, runs.tokens, unique, strict=True)]
    size = np.abs(np.log(losses) - runs.log_loss)
    return np.where(size < delta, size**2 / 2, delta * (size - delta / 2)).sum()


def test_the_published_decays_are_only_a_local_optimum_of_their_own_objective():
    runs, unique = published_runs()
    assert objective(PUBLISHED, runs, unique) == pytest.approx(0.01582593, abs=6e-9)
    assert objective((47.0, 2.33), runs, unique) == pytest.approx(0.01580738, abs=3e-8)
    assert objective((100.0, 1.68), runs, unique) == pytest.approx(0.0158053, abs=3e-8)
    fit = fit_repetition(C4, runs, unique, count=10)
    assert fit.objective == pytest.approx(objective((fit.repeated_tokens, fit.excess_params), runs, unique), rel=1e-9)
    assert fit.objective < 0.0158053
    for repeated_tokens in np.geomspace(2, 1e4, 15):
        for excess_params in np.geomspace(0.1, 30, 15):
            assert fit.objective <= objective((repeated_tokens, excess_params), runs, unique)


def test_weak_identification_is_said_in_words():
    fit = fit_repetition(C4, *published_runs())
    (low, high), (n_low, n_high) = fit.intervals()
    assert 4 < low < 8
    assert high == np.inf
    assert 0.1 < n_low < 0.5
    assert 10 < n_high < 30
    assert fit.notes[0].startswith("R_D* is weakly identified: 95 % from")
    assert fit.notes[0].endswith("to effectively infinite")
    assert fit.notes[1].startswith("R_N* is weakly identified")


def known_runs(noise=0.0):
    params, unique, epochs = (a.ravel() for a in np.meshgrid([1e8, 1e9, 5e9], [1e9, 5e9], [1, 2, 4, 8, 20, 60, 200]))
    tokens = unique * epochs
    losses = np.array([repeated(U, (12.0, 4.0)).loss(N, D) for N, D, U in zip(params, tokens, unique, strict=True)])
    return Runs(params, tokens, losses * np.exp(np.random.default_rng(0).normal(0, noise, losses.size))), unique


def test_known_decays_come_back():
    fit = fit_repetition(C4, *known_runs(), count=10)
    assert fit.repeated_tokens == pytest.approx(12, rel=1e-4)
    assert fit.excess_params == pytest.approx(4, rel=1e-4)


def test_noisy_runs_that_settle_the_decays_are_not_called_weak():
    fit = fit_repetition(C4, *known_runs(noise=2e-3))
    (low, high), (n_low, n_high) = fit.intervals()
    assert low < 12 < high < 1.5 * low
    assert n_low < 4 < n_high
    assert fit.notes == ()
    assert np.unique(fit.draws[:, 0]).size > 20


def test_runs_without_repetition_say_nothing_about_it():
    one = np.array([1e9, 2e9])
    with pytest.raises(SixndError, match="no run repeats its data"):
        fit_repetition(C4, Runs(one, one, np.array([3.0, 2.9])), one)
