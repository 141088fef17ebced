"""From a table of runs to a law document: what it says of itself."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.planner.fitting.fit import Options, fit_law
from sixnd.planner.fitting.runs import Runs
from sixnd.planner.fitting.surface import fit_surface
from sixnd.planner.fitting.uncertainty import draws, weaknesses
from sixnd.planner.laws import Surface
from sixnd.planner.repetition import Repetition
from sixnd.specs.errors import UnfitRunsError
from sixnd.specs.law_document import LawDocument
from sixnd.specs.load import parse
from sixnd.specs.run_table import RunRow, RunTable

TRUTH = Surface(1.8, 480.0, 2100.0, 0.35, 0.37)
FEW = Options(draws=400)


def table(params, tokens, noise=0.003, seed=0, surface=TRUTH, **columns) -> RunTable:
    spread = np.exp(noise * np.random.default_rng(seed).standard_normal(len(params)))
    loss = surface.loss(params, tokens) * spread
    rows = [
        RunRow(f"runs.csv:{i + 2}", float(N), float(D), float(L), float(6 * N * D))
        for i, (N, D, L) in enumerate(zip(params, tokens, loss, strict=True))
    ]
    rows = [replace(row, **{name: values[i] for name, values in columns.items()}) for i, row in enumerate(rows)]
    return RunTable("runs.csv", "0" * 64, rows)


def grid(sizes=5, ratios=5):
    params, ratio = np.meshgrid(np.geomspace(3e7, 3e9, sizes), np.geomspace(4, 150, ratios))
    return params.ravel(), (params * ratio).ravel()


def isoflop():
    compute = np.repeat(np.geomspace(6e18, 3e21, 5), 7)
    params = TRUTH.optimal_params(compute) * np.tile(np.geomspace(1 / 6, 6, 7), 5)
    return params, compute / 6 / params


def test_the_document_survives_its_yaml_and_allocates_like_the_planted_law():
    fitted = fit_law(table(*grid()), FEW)
    again = parse(fitted.document.to_yaml(), "law.yaml", LawDocument)
    assert again == fitted.document
    row = fitted.at([1e22])[0]
    low, high = row.intervals["N"]
    assert low < float(TRUTH.optimal_params(1e22)) < high
    assert low < row.N < high
    assert pytest.approx(1e22) == 6 * row.N * row.D


def test_every_start_agrees_and_the_document_says_so():
    proof = fit_law(table(*grid()), FEW).document.fit.convergence
    assert proof.reached == proof.starts
    assert proof.best_other is None
    assert proof.gradient < 1e-6


def test_an_outlier_is_named_and_kept():
    clean = table(*grid())
    rows = [replace(row, loss=row.loss * 1.2) if i == 3 else row for i, row in enumerate(clean.rows)]
    document = fit_law(replace(clean, rows=rows), FEW).document
    assert [run.row for run in document.fit.runs if run.outlier] == ["runs.csv:5"]
    assert len(document.fit.runs) == 25
    assert any("runs.csv:5 is an outlier" in warning for warning in document.fit.warnings)


def test_a_run_whose_compute_is_off_is_warned_about():
    rows = [replace(row, compute=row.compute / 10) if i == 4 else row for i, row in enumerate(table(*grid()).rows)]
    warnings = fit_law(RunTable("runs.csv", "0" * 64, rows), FEW).document.fit.warnings
    assert any("runs.csv:6 states" in warning and "10.0× below" in warning for warning in warnings)


def test_isoflop_runs_are_fitted_by_approach_2_as_well_and_its_bias_is_told():
    document = fit_law(table(*isoflop(), noise=0.001), FEW).document
    (second,) = document.fit.approaches
    assert second.approach == 2
    assert len(document.fit.parabolas) == len(second.points) == 5
    low, high = second.exponent_interval
    assert low < second.exponent < high
    assert second.exponent == pytest.approx(TRUTH.beta / (TRUTH.alpha + TRUTH.beta), abs=0.02)
    assert second.bias is not None
    vertex = document.fit.parabolas[0]
    c0, c1, c2 = vertex.coefficients
    assert -c1 / (2 * c2) == pytest.approx(np.log(vertex.N))
    assert c0 + c1 * np.log(vertex.N) + c2 * np.log(vertex.N) ** 2 == pytest.approx(vertex.L)


def test_five_runs_give_a_law_but_no_interval_and_say_so():
    params, tokens = grid(3, 3)
    pick = [0, 2, 4, 6, 8]
    document = fit_law(table(params[pick], tokens[pick]), FEW).document
    assert document.law.draws is None
    assert document.fit.frontier[0].intervals == {}
    assert any("no interval" in warning for warning in document.fit.warnings)


@pytest.mark.parametrize(
    ("params", "tokens", "words"),
    [
        (np.geomspace(1e7, 1e9, 12), 20 * np.geomspace(1e7, 1e9, 12), "cannot be told apart"),
        (np.tile([1e8, 2e8, 4e8], 4), np.repeat(np.geomspace(1e9, 1e11, 4), 3), "N spans less than"),
    ],
)
def test_a_design_that_cannot_tell_the_exponents_is_called_weak(params, tokens, words):
    assert any(words in warning for warning in fit_law(table(params, tokens), FEW).document.fit.warnings)


def test_noise_that_drowns_the_law_is_called_weak():
    runs = table(*grid(4, 4), noise=0.05)
    assert any("weakly identified" in warning for warning in fit_law(runs, FEW).document.fit.warnings)


@pytest.mark.parametrize(
    ("estimator", "key", "noises"),
    [
        ("huber", "N", (0.001, 0.004, 0.016)),
        ("frontier", "N", (0.001, 0.004)),
        ("frontier", "L", (0.001, 0.004, 0.016)),
    ],
)
def test_more_noise_never_narrows_the_interval(estimator, key, noises):
    widths = []
    for noise in noises:
        row = fit_law(table(*grid(), noise=noise), replace(FEW, estimator=estimator)).at([1e22])[0]
        widths.append(np.log(row.intervals[key][1] / row.intervals[key][0]))
    assert widths == sorted(widths)


def test_an_outlier_among_few_runs_hardly_widens_the_interval():
    clean = table(*grid())
    rows = [replace(row, loss=row.loss * 1.3) if i == 12 else row for i, row in enumerate(clean.rows)]
    widths = [
        np.log(np.divide(*fit_law(t, FEW).at([1e22])[0].intervals["N"][::-1]))
        for t in (clean, replace(clean, rows=rows))
    ]
    assert widths[1] < 1.6 * widths[0]


def test_tied_exponents_are_equal():
    law = fit_law(table(*grid()), replace(FEW, form="over-training")).document.law
    assert law.alpha == law.beta


def test_the_worth_of_repetition_is_fitted_on_top_of_the_runs_that_read_nothing_twice():
    params, ratio = (axis.ravel() for axis in np.meshgrid(np.geomspace(3e7, 3e9, 4), [40, 100, 250]))
    params, tokens = np.tile(params, 4), np.tile(params * ratio, 4)
    unique = tokens / np.repeat([0.9, 4, 16, 64], 12)
    worth = [Repetition(np.ones(1), np.array([u]), 15.0, 5.0, TRUTH) for u in unique]
    planted = [float(TRUTH.loss(w.params(N), w.tokens(D))) for w, N, D in zip(worth, params, tokens, strict=True)]
    rows = [
        RunRow(f"r{i}", float(params[i]), float(tokens[i]), planted[i], 1.0, unique_tokens=float(unique[i]))
        for i in range(len(params))
    ]
    document = fit_law(RunTable("runs", "0" * 64, rows), replace(FEW, form="data-constrained")).document
    assert document.repetition.repeated_tokens == pytest.approx(15.0, rel=0.05)
    assert len(document.fit.runs) == 12


def test_a_task_s_error_is_a_curve_of_the_loss():
    params, tokens = grid()
    loss = TRUTH.loss(params, tokens)
    error = 0.85 - 2.2 * np.exp(-0.7 * loss)
    document = fit_law(
        table(params, tokens, noise=0.0001, metric=list(error)), replace(FEW, form="downstream")
    ).document
    assert document.task.rate == pytest.approx(0.7, rel=0.05)


@pytest.mark.parametrize(("form", "words"), [("data-constrained", "U="), ("downstream", "metric=")])
def test_a_form_says_what_the_runs_lack(form, words):
    with pytest.raises(UnfitRunsError, match=words):
        fit_law(table(*grid()), replace(FEW, form=form))


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """A quick look at what ``tests/benchmarks/fit_coverage.py`` measures: 60 fits of 16 runs, 95 % intervals of N*."""
    params, tokens = grid(4, 4)
    held = 0
    for seed in range(60):
        loss = TRUTH.loss(params, tokens) * np.exp(0.003 * np.random.default_rng(seed).standard_normal(16))
        runs = Runs(params, tokens, loss)
        theta = draws(runs, fit_surface(runs), count=200, seed=seed)
        optimum = np.log(theta[:, 3]) + theta[:, 0] - np.log(theta[:, 4]) - theta[:, 1]
        log_N = (optimum + theta[:, 4] * np.log(1e22 / 6)) / (theta[:, 3] + theta[:, 4])
        low, high = np.quantile(log_N, [0.025, 0.975])
        held += low < np.log(float(TRUTH.optimal_params(1e22))) < high
    assert held >= 52  # 95 % of 60 is 57, three standard deviations are 5


def test_a_good_design_is_not_called_weak():
    runs = Runs(*grid(6, 6), TRUTH.loss(*grid(6, 6)) * np.exp(0.0005 * np.random.default_rng(0).standard_normal(36)))
    fit = fit_surface(runs)
    assert weaknesses(runs, fit, draws(runs, fit, count=200)) == []


@given(st.integers(5, 12), st.integers(0, 10_000), st.sampled_from(["law", "noise", "flat", "rising"]))
@settings(max_examples=15, deadline=None)
def test_whatever_the_runs_are_they_give_a_law_with_finite_numbers_or_a_refusal(count, seed, kind):
    generator = np.random.default_rng(seed)
    params, tokens = (
        np.exp(generator.uniform(np.log(low), np.log(high), count)) for low, high in ((1e6, 1e10), (1e8, 1e12))
    )
    losses = {
        "law": TRUTH.loss(params, tokens),
        "noise": generator.uniform(1, 5, count),
        "flat": np.full(count, 3.0),
        "rising": 0.1 * np.log(params),
    }
    rows = [
        RunRow(f"r{i}", float(params[i]), float(tokens[i]), float(losses[kind][i]), float(6 * params[i] * tokens[i]))
        for i in range(count)
    ]
    try:
        fitted = fit_law(RunTable("runs", "0" * 64, rows), FEW)
    except UnfitRunsError:
        return
    for row in fitted.at([1e18, 1e26]):
        assert np.isfinite([row.N, row.D, row.L, *(x for pair in row.intervals.values() for x in pair)]).all()
    assert fitted.document.to_yaml()
