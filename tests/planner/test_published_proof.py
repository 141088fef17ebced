"""The parts of the published-data proof, on small tables made here."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.planner.fitting.runs import Runs
from sixnd.planner.laws import Surface
from sixnd.specs.run_table import RunRow
from tests.benchmarks.published_chart import chart
from tests.benchmarks.published_fit import (
    LEAST_FITTED,
    SHARES,
    frontier,
    largest,
    power_law,
    proofs,
    rule_of_thumb,
)
from tests.benchmarks.published_ladders import cut_ladders
from tests.benchmarks.published_ladders import told as told_ladders
from tests.benchmarks.published_page import document, text
from tests.benchmarks.published_series import Series, series
from tests.planner.shared_data import shared

TRUTH = Surface(1.8, 480.0, 2100.0, 0.35, 0.37)


def isoflop(noise=0.001) -> Series:
    compute = np.repeat(1e18 * 2.0 ** np.arange(7), 4)
    params = np.asarray(TRUTH.optimal_params(compute)) * np.tile(np.geomspace(1 / 3, 3, 4), 7)
    tokens = compute / 6 / params
    loss = TRUTH.loss(params, tokens) * np.exp(noise * np.random.default_rng(0).standard_normal(len(params)))
    rows = zip(params, tokens, loss, compute, strict=True)
    return Series("made here", "runs", [RunRow(f"row {i}", *map(float, row)) for i, row in enumerate(rows)])


@pytest.fixture(scope="module")
def found():
    return list(proofs(isoflop(), package=False))


def test_nothing_held_out_is_fitted_and_nothing_fitted_is_held_out(found):
    every = isoflop().rows
    assert [one.share for one in found] == [share for share in SHARES if one_is_enough(every, share)]
    for one in found:
        assert one.fitted + len(one.held) == len(every)
        assert one.fitted_flops <= 1.01 * one.share * largest(every)
        assert min(6 * run.params * run.tokens for run in one.held) > 1.01 * one.share * largest(every)
        assert len(one.document.fit.runs) == one.fitted


def one_is_enough(rows, share):
    return sum(row.compute <= 1.01 * share * largest(rows) for row in rows) >= LEAST_FITTED


def test_the_target_is_a_largest_run_and_is_chosen_without_its_loss(found):
    for one in found:
        assert one.target_flops == pytest.approx(largest(one.series.rows), rel=1e-9)
    worse = isoflop()
    top = largest(worse.rows)
    rows = [
        RunRow(r.where, r.params, r.tokens, r.loss * (1.5 if r.compute >= top else 1), r.compute) for r in worse.rows
    ]
    again = next(proofs(Series("made here", "runs", rows), package=False))
    assert again.target.params == found[0].target.params
    assert again.target.predicted == found[0].target.predicted
    assert not again.target.inside(0.95)


def test_a_true_law_is_predicted_from_its_small_runs(found):
    for one in found:
        assert abs(one.target.error) < 0.02
        assert one.target.inside(0.95)


@settings(max_examples=8, deadline=None)
@given(st.floats(0.0, 2.5), st.floats(0.5, 5.0), st.floats(0.03, 0.4))
def test_a_power_law_of_compute_comes_back(E, A, exponent):
    compute = np.geomspace(1e18, 1e21, 10)
    loss = E + A * (compute / 1e18) ** -exponent
    with_floor = power_law(compute, loss, irreducible=True)(1e22)
    truth = E + A * 1e4**-exponent
    assert with_floor == pytest.approx(truth, rel=0.01)
    if E == 0:
        assert power_law(compute, loss, irreducible=False)(1e22) == pytest.approx(truth, rel=0.02)


def test_no_run_of_less_compute_beats_one_of_the_frontier():
    rows = isoflop(noise=0.01).rows
    runs = Runs(*(np.array([getattr(row, name) for row in rows]) for name in ("params", "tokens", "loss")))
    compute, loss = frontier(runs)
    for C, L in zip(compute, loss, strict=True):
        assert runs.loss[runs.compute <= C].min() == L
    assert np.all(np.diff(loss) < 0)


def test_a_cut_ladder_has_twelve_runs_of_three_lines_below_its_target():
    found = list(cut_ladders(isoflop()))
    assert len(found) == 1, "only the largest line has one at a 64th of its compute"
    for runs, target in found:
        assert len({row.where for row in runs}) == 12
        below = sorted({round(target.compute / row.compute) for row in runs})
        assert below[0] == 8
        assert below[-1] == 64
        assert len(below) == 3


def test_twenty_tokens_a_parameter_spend_the_budget():
    N = rule_of_thumb(1.2e21)
    spent = 6 * N * 20 * N
    assert spent == pytest.approx(1.2e21)


def test_the_page_the_json_and_the_chart_tell_the_same(found):
    optima = {"runs": (6.4e19, float(TRUTH.optimal_params(6.4e19)))}
    ladders = told_ladders(isoflop())
    told = document(found, optima, ladders)
    assert json.loads(json.dumps(told)) == told
    page = text(found, optima, ladders)
    for row in told["rows"]:
        assert f"| {row['predicted_loss']:.4f} |" in page
        assert row["inside95"] == (row["interval95"][0] <= row["actual_loss"] <= row["interval95"][1])
    errors = sorted(abs(row["error"]) for row in told["rows"])
    assert [row["ladders"] for row in told["ladders"]] == [len(ladders)] * 2
    assert errors[0] <= told["summary"][-1]["median_error"] <= errors[-1]
    picture = chart(found)
    assert picture.startswith("<svg")
    assert ">made here: runs<" in picture
    assert "var(--" not in picture


def test_published_series_are_whole_and_are_counted_once():
    every = list(series(shared("scaling")))
    names = [(one.dataset, one.name) for one in every]
    assert len(set(names)) == len(names)
    assert len(next(one for one in every if one.dataset == "Chinchilla").rows) == 240
    trainings = [one.name.rpartition(", N ")[0] for one in every if one.dataset == "Porian"]
    assert len(set(trainings)) == len(trainings) == 9
    assert all(row.loss > 0 for one in every for row in one.rows)
