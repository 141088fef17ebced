"""The smaller runs held against the larger: what a law's form misses, and what intervals make of it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.planner import laws
from sixnd.planner.fitting.back_test import back_tests, missed_per_decade
from sixnd.planner.fitting.fit import Options, fit_law
from sixnd.planner.fitting.runs import Runs
from sixnd.planner.fitting.surface import fit_surface
from sixnd.planner.laws import Surface
from sixnd.specs.run_table import RunRow, RunTable

TRUTH = Surface(1.8, 480.0, 2100.0, 0.35, 0.37)


def isoflop(bend: float = 0.0, noise: float = 0.002, seed: int = 0) -> Runs:
    """42 runs of seven budgets; ``bend`` lifts log loss by the square of the decades of compute."""
    compute = np.repeat(1.6e19 * 2.0 ** np.arange(7), 6)
    params = np.asarray(TRUTH.optimal_params(compute)) * np.tile(np.geomspace(1 / 4, 4, 6), 7)
    spread = noise * np.random.default_rng(seed).standard_normal(len(params))
    bent = bend * np.log10(compute / 1.6e19) ** 2
    return Runs(
        params, compute / 6 / params, np.asarray(TRUTH.loss(params, compute / 6 / params)) * np.exp(spread + bent)
    )


def table(runs: Runs) -> RunTable:
    rows = zip(runs.params, runs.tokens, runs.loss, runs.compute, strict=True)
    return RunTable("runs.csv", "0" * 64, [RunRow(f"runs.csv:{i}", *map(float, row)) for i, row in enumerate(rows, 2)])


def test_runs_that_bend_away_from_the_form_are_found_out_and_runs_that_do_not_are_not():
    straight, bent = (
        missed_per_decade(back_tests(runs, fit_surface(runs))) for runs in (isoflop(), isoflop(bend=0.02))
    )
    assert straight < 0.005
    assert bent > 0.02


def test_each_split_predicts_what_it_did_not_fit_and_none_is_told_twice():
    runs = isoflop()
    splits = back_tests(runs, fit_surface(runs))
    assert [one.share for one in splits] == [1 / 4, 1 / 8, 1 / 16]
    assert all(one.fitted + len(one.errors) == len(runs) for one in splits)
    two_budgets = runs.picked((runs.compute < 2e19) | (runs.compute > 1e21))
    two_budgets = Runs(
        np.concatenate([two_budgets.params, two_budgets.params * 1.1]),
        np.concatenate([two_budgets.tokens, two_budgets.tokens / 1.1]),
        np.tile(two_budgets.loss, 2) * 1.001,
    )
    assert len(back_tests(two_budgets, fit_surface(two_budgets))) == 1


def test_too_few_small_runs_are_no_test():
    runs = isoflop().picked(np.arange(42) % 6 == 2)
    assert back_tests(runs, fit_surface(runs)) == []
    assert missed_per_decade([]) == 0.0


def test_runs_that_are_repeated_are_one_run_to_a_back_test():
    runs = isoflop().picked(np.arange(42) % 6 == 2)
    twice = Runs(*(np.tile(column, 2) for column in (runs.params, runs.tokens, runs.loss)))
    assert back_tests(twice, fit_surface(twice)) == []


@settings(max_examples=6, deadline=None)
@given(st.floats(0.0, 0.03), st.integers(0, 9))
def test_what_was_missed_only_widens_and_only_beyond_the_runs(bend, seed):
    document = fit_law(table(isoflop(bend, seed=seed)), Options(draws=400)).document
    without = document.law.model_copy(update={"missed_per_decade": None})
    assert len(document.fit.back_tests) == 3
    for compute, beyond in ((1e20, False), (1e23, True)):
        best = laws.optimum(document.law, compute)
        wide, narrow = (laws.loss_interval(law, best.params, best.tokens, 0.95) for law in (document.law, without))
        assert wide.low <= narrow.low
        assert wide.high >= narrow.high
        if beyond and document.law.missed_per_decade:
            assert wide.high > narrow.high
        if not beyond:
            assert (wide.low, wide.high) == (narrow.low, narrow.high)


def test_a_run_counts_less_the_further_it_lies_from_the_frontier_and_the_less_compute_it_had():
    runs = isoflop(noise=0.0)
    weights = runs.frontier_weights().reshape(7, 6)
    loss = runs.loss.reshape(7, 6)
    assert weights.max() == 1
    for budget in range(7):
        assert np.all(np.diff(weights[budget, np.argsort(loss[budget])]) <= 0)
    best = weights.max(axis=1)
    assert np.all(np.diff(best[:-1]) > 0)
    assert best[-1] == best[-2], "the upper quarter is alike"


def test_runs_far_from_the_frontier_that_break_the_form_bend_only_the_fit_in_which_all_count_alike():
    runs = isoflop(noise=0.0005)
    far = runs.tokens < 8 * runs.params
    broken = Runs(runs.params, runs.tokens, np.where(far, 1.25, 1.0) * runs.loss)
    alike, near = (
        fit_law(table(broken), Options(draws=400, estimator=name)).document for name in ("huber", "frontier")
    )
    best = laws.optimum(near.law, 1e22)
    truth = float(TRUTH.loss(best.params, best.tokens))
    errors = [abs(laws.loss(one.law, best.params, best.tokens) / truth - 1) for one in (alike, near)]
    assert errors[1] < 0.5 * errors[0]
