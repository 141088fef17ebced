import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.planner.fitting.isoflop import fit_isoflops
from sixnd.planner.fitting.power_law import fit_power_law
from sixnd.planner.fitting.runs import Runs
from sixnd.specs.errors import SixndError
from tests.planner.fitting.published import column, rows
from tests.planner.fitting.test_power_law import SETUP

BUDGETS = np.logspace(17, 21, 5)


def grid(exponent=0.5, scale=0.4, width=16.0, points=15, budgets=BUDGETS):
    """N, D and N* of isoFLOP designs centred on N* = scale · C^exponent."""
    best = scale * budgets**exponent
    params = np.outer(best, np.geomspace(1 / width, width, points)).ravel()
    return params, np.repeat(budgets, points) / 6 / params, best


@given(exponent=st.floats(0.2, 0.8), curvature=st.floats(1e-3, 1.0), off=st.floats(0.2, 5))
def test_true_parabolas_are_found_exactly(exponent, curvature, off):
    params, tokens, best = grid(exponent)
    loss = 3 + curvature * np.log(params / np.repeat(off * best, 15)) ** 2
    fit = fit_isoflops(Runs(params, tokens, loss))
    assert fit.notes == ()
    assert [p.params for p in fit.parabolas] == pytest.approx(off * best, rel=1e-6)
    assert [p.loss for p in fit.parabolas] == pytest.approx([3] * 5, abs=1e-7)
    assert [p.curvature for p in fit.parabolas] == pytest.approx([curvature] * 5, rel=1e-6)
    assert fit.params.exponent == pytest.approx(exponent, abs=1e-6)
    assert fit.params.exponent + fit.tokens.exponent == pytest.approx(1, abs=1e-9)
    assert 6 * fit.params(1e24) * fit.tokens(1e24) == pytest.approx(1e24, rel=1e-9)


def test_budgets_are_told_apart_though_their_compute_is_rounded():
    params, tokens, best = grid()
    rng = np.random.default_rng(0)
    compute = np.repeat(BUDGETS, 15) * np.exp(rng.uniform(-0.02, 0.02, params.size))
    order = rng.permutation(params.size)
    loss = 3 + 0.1 * np.log(params / np.repeat(best, 15)) ** 2
    fit = fit_isoflops(Runs(params[order], tokens[order], loss[order]), compute[order])
    assert [p.compute for p in fit.parabolas] == pytest.approx(BUDGETS, rel=0.02)
    assert sorted(order[list(fit.parabolas[0].rows)]) == list(range(15))


def test_a_vertex_outside_its_runs_is_named_and_left_out():
    params, tokens, best = grid()
    best[1] *= 100
    loss = 3 + 0.1 * np.log(params / np.repeat(best, 15)) ** 2
    fit = fit_isoflops(Runs(params, tokens, loss))
    assert len(fit.notes) == 1
    assert "at 1e+18 FLOPs the lowest point" in fit.notes[0]
    assert "above every run" in fit.notes[0]
    assert fit.params.exponent == pytest.approx(0.5, abs=1e-6)


def test_parabolas_that_open_downwards_are_refused_in_words():
    params, tokens, best = grid()
    with pytest.raises(SixndError, match=r"two budgets with a lowest point, got 0.*FLOPs.*opens downwards"):
        fit_isoflops(Runs(params, tokens, 9 - 0.1 * np.log(params / np.repeat(best, 15)) ** 2))


def test_losses_on_a_straight_line_show_no_best_size():
    params, tokens, _ = grid()
    with pytest.raises(SixndError, match="two budgets with a lowest point, got 0"):
        fit_isoflops(Runs(params, tokens, 30 - np.log(params)))


def test_two_sizes_at_a_budget_are_no_parabola():
    params, tokens, _ = grid(points=2)
    with pytest.raises(SixndError, match="has 2 model sizes; a parabola needs three"):
        fit_isoflops(Runs(params, tokens, params**-0.1))


def test_compute_spread_without_budgets_is_refused_in_words():
    params, tokens = np.geomspace(1e8, 1e9, 80), np.full(80, 1e10)
    with pytest.raises(SixndError, match="share no one budget"):
        fit_isoflops(Runs(params, tokens, params**-0.1 + tokens**-0.1))


def test_intervals_cover_the_exponent_about_as_often_as_they_say():
    params, tokens, best = grid(points=20, width=8.0)
    clean = 3 + 0.1 * np.log(params / np.repeat(best, 20)) ** 2
    rng = np.random.default_rng(3)
    noisy = (Runs(params, tokens, clean + rng.normal(0, 0.01, clean.size)) for _ in range(100))
    fits = [fit_isoflops(runs, count=200) for runs in noisy]
    held = sum(low <= 0.5 <= high for low, high in (fit.params.exponent_interval() for fit in fits))
    assert 85 <= held <= 99
    assert all(fit.draws_refused == 0 for fit in fits)


def test_porian_exponents_follow_from_the_raw_isoflop_points():
    """Parabolas within ±8× of the best run, where the paper interpolates (Akima) and draws the seeds' noise."""
    for published in rows("scaling/porian/porian_published_fits.csv")[:10]:
        raw = rows("scaling/porian/porian_isoflop_points.csv", **{k: published[k] for k in SETUP})
        raw = [row for row in raw if row["loss"]]
        runs = Runs(column(raw, "n"), column(raw, "t"), column(raw, "loss"))
        fit = fit_isoflops(runs, column(raw, "flops"), window=8.0)
        assert fit.params.exponent == pytest.approx(float(published["n_exponent"]), abs=0.025)


@pytest.mark.parametrize(
    ("table", "flops", "coefficient", "exponent", "rounded"),
    [
        ("table_3_approach1", "flops", 0.099159, 0.4981, 0.0125),
        ("table_A3_approach2_3", "flops_a2", 0.14488, 0.4899, 0.033),
    ],
)
def test_published_tables_of_approaches_1_and_2_are_one_power_law_each(table, flops, coefficient, exponent, rounded):
    """Tables 3 and A3 of Hoffmann et al. 2022: within 1 %, but for the row of 67B, whose N the tables round."""
    rowed = rows(f"scaling/chinchilla_tables/{table}.csv")
    compute, params = column(rowed, flops), column(rowed, "params")
    law = fit_power_law(compute, params)
    assert law.exponent == pytest.approx(exponent, abs=1e-4)
    assert law.coefficient == pytest.approx(coefficient, rel=1e-4)
    off = np.abs(law(compute) / params - 1)
    assert np.all(off[params != 6.7e10] < 0.01)
    assert off[params == 6.7e10] < rounded
