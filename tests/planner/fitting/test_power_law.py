import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.planner.fitting.power_law import fit_power_law
from sixnd.specs.errors import SixndError
from tests.planner.fitting.published import column, rows

SETUP = ("dataset", "hparams", "warmup", "decay", "param_count", "val")
# Porian et al. 2024, table 1, in the order in which they correct Kaplan's setup.
CORRECTIONS = {"rw": (0.835, 0.706, 0.602, 0.571, 0.497), "owt2": (0.864, 0.699, 0.603, 0.574, 0.518)}


def test_porian_exponents_and_prefactors_are_reproduced():
    published = rows("scaling/porian/porian_published_fits.csv")
    assert len(published) == 15
    for fit in published:
        pairs = [p for p in rows("scaling/porian/porian_optimal_pairs.csv", **{k: fit[k] for k in SETUP}) if p["n"]]
        law = fit_power_law(column(pairs, "flops"), column(pairs, "n"), column(pairs, "n_star_std") ** -2.0)
        assert law.exponent == pytest.approx(float(fit["n_exponent"]), abs=2e-6)
        assert law.coefficient == pytest.approx(float(fit["n_coef"]), rel=1e-4)


@pytest.mark.parametrize("dataset", CORRECTIONS)
def test_each_correction_of_kaplans_setup_lowers_the_exponent(dataset):
    main = rows("scaling/porian/porian_published_fits.csv", dataset=dataset)[:5]
    found = []
    for fit in main:
        pairs = [p for p in rows("scaling/porian/porian_optimal_pairs.csv", **{k: fit[k] for k in SETUP}) if p["n"]]
        found.append(
            fit_power_law(column(pairs, "flops"), column(pairs, "n"), column(pairs, "n_star_std") ** -2.0).exponent
        )
    assert found == pytest.approx(CORRECTIONS[dataset], abs=5.5e-4)
    assert found == sorted(found, reverse=True)


@given(
    k=st.floats(1e-8, 1e8),
    p=st.floats(-2, 2),
    weights=st.lists(st.floats(0.1, 10), min_size=4, max_size=4),
)
def test_an_exact_law_is_found_whatever_the_weights(k, p, weights):
    x = np.array([1e17, 1e18, 3e19, 1e21])
    law = fit_power_law(x, k * x**p, np.array(weights))
    assert law.exponent == pytest.approx(p, abs=1e-9)
    assert np.log(law.coefficient) == pytest.approx(np.log(k), abs=1e-7)
    assert law(1e19) == pytest.approx(k * 1e19**p, rel=1e-7)


@given(factor=st.floats(1e-6, 1e6))
def test_units_of_x_move_only_the_prefactor(factor):
    x, y = np.array([1.0, 3.0, 8.0, 30.0]), np.array([2.0, 3.5, 5.0, 11.0])
    one, other = fit_power_law(x, y), fit_power_law(factor * x, y)
    assert other.exponent == pytest.approx(one.exponent, rel=1e-9)
    assert other(factor * 5.0) == pytest.approx(one(5.0), rel=1e-9)


def test_covariance_is_the_spread_of_repeated_experiments():
    rng = np.random.default_rng(1)
    x, sd = np.geomspace(1, 1e4, 12), np.linspace(0.02, 0.1, 12)
    laws = [fit_power_law(x, 3 * x**0.5 * np.exp(rng.normal(0, sd)), sd**-2.0) for _ in range(2000)]
    spread = np.cov([(np.log(law.coefficient), law.exponent) for law in laws], rowvar=False)
    told = np.mean([law.covariance for law in laws], axis=0)
    assert told == pytest.approx(spread, rel=0.1)


def test_bootstrap_agrees_with_the_covariance_and_repeats_by_seed():
    rng = np.random.default_rng(2)
    x = np.geomspace(1, 1e4, 200)
    y = 3 * x**0.5 * np.exp(rng.normal(0, 0.1, x.size))
    law = fit_power_law(x, y, count=2000, seed=5)
    assert np.std(law.draws[:, 1]) == pytest.approx(law.covariance[1][1] ** 0.5, rel=0.15)
    assert np.array_equal(law.draws, fit_power_law(x, y, count=2000, seed=5).draws)
    low, high = law.exponent_interval()
    assert low < law.exponent < high
    low, high = law.interval(100.0, 0.8)
    assert low < law(100.0) < high


@pytest.mark.parametrize(
    ("x", "y", "told"),
    [
        ([1, 1, 1], [1, 2, 3], "at least two different x"),
        ([1, 2, 3], [1, -2, 3], "y of point 2 is -2"),
        ([1, np.nan, 3], [1, 2, 3], "x of point 2 is nan"),
    ],
)
def test_what_no_law_can_go_through_is_refused_in_words(x, y, told):
    with pytest.raises(SixndError, match=told):
        fit_power_law(np.array(x), np.array(y))


def test_a_law_without_draws_refuses_an_interval():
    with pytest.raises(SixndError, match="no bootstrap draws"):
        fit_power_law(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0])).exponent_interval()
