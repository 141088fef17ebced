"""Mixing laws: a known one is found again, its best mix with it, and runs that cannot tell are refused in words."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.planner.fitting.mix_law import fit_mix
from sixnd.planner.fitting.mix_surface import best_mix, fit_surface, predict
from sixnd.planner.mix import chosen
from sixnd.specs.budget import Data
from sixnd.specs.errors import SixndError, UnfitRunsError
from sixnd.specs.mix_table import MixRow, MixTable, read_mixes

DOMAINS = ["web", "code", "books"]
FLOORS = np.array([2.2, 1.2, 2.4])
EXPONENTS = np.array([[-0.8, 0.4, 0.1], [0.9, -1.2, 0.9], [0.2, 0.5, -1.0]])
EVEN = np.full(3, 1 / 3)
ANY = (np.zeros(3), np.ones(3))
TRUE_BEST = best_mix(EXPONENTS[None], EVEN, *ANY)[0]


def table(runs: int = 30, noise: float = 0.0, seed: int = 0, domains: int = 3) -> MixTable:
    generator = np.random.default_rng(seed)
    weights = generator.dirichlet([2.0, 1.5, 1.5][:domains], runs)
    losses = predict(FLOORS, EXPONENTS[:, :domains], weights).T * np.exp(noise * generator.standard_normal((runs, 3)))
    rows = [MixRow(f"runs.csv:{i}", tuple(w), tuple(y)) for i, (w, y) in enumerate(zip(weights, losses, strict=True))]
    return MixTable("runs.csv", "0" * 64, DOMAINS[:domains], DOMAINS, rows, [])


def test_a_law_without_noise_is_found_again():
    runs = table()
    weights = np.array([row.weights for row in runs.rows])
    losses = np.array([row.losses for row in runs.rows]).T
    floors, exponents = fit_surface(weights, losses, np.ones_like(losses))
    assert predict(floors, exponents, weights) == pytest.approx(losses, rel=1e-4)
    assert floors == pytest.approx(FLOORS, abs=0.02)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
def test_no_mix_of_the_simplex_is_better_than_the_best(seed):
    generator = np.random.default_rng(seed)
    exponents, parts = generator.normal(0, 1, (4, 5)), generator.dirichlet(np.ones(4))
    best = best_mix(exponents[None], parts, np.zeros(5), np.ones(5))[0]
    assert best.sum() == pytest.approx(1)
    assert best.min() >= 0
    others = generator.dirichlet(np.full(5, 0.5), 2000)
    assert parts @ np.exp(exponents @ best) <= (parts @ np.exp(exponents @ others.T)).min() + 1e-6


def test_the_best_mix_stays_within_what_was_run():
    low, high = np.array([0.2, 0.0, 0.0]), np.array([1.0, 0.4, 1.0])
    best = best_mix(EXPONENTS[None], EVEN, low, high)[0]
    assert best[0] == pytest.approx(0.2)
    assert best[1] == pytest.approx(0.4)
    assert best.sum() == pytest.approx(1)


def test_intervals_hold_the_true_best_mix_about_as_often_as_they_say():
    inside = []
    for seed in range(6):
        found = fit_mix(table(noise=0.003, seed=seed), "m").mix.domains
        inside += [one.low <= true <= one.high for one, true in zip(found, TRUE_BEST, strict=True)]
    assert np.mean(inside) >= 0.85


def test_a_loss_that_counts_alone_is_served_by_its_own_domain():
    even, coded = fit_mix(table(noise=1e-3), "m"), fit_mix(table(noise=1e-3), "m", {"code": 3, "web": 1})
    assert coded.mix.weights()["code"] > even.mix.weights()["code"]
    assert [target.importance for target in coded.fit.targets] == [0.25, 0.75, 0.0]


def test_too_few_runs_are_refused_with_how_many_are_needed():
    with pytest.raises(UnfitRunsError, match=r"6 usable runs.*at least 7"):
        fit_mix(table(6), "m")


def test_one_loss_is_refused_as_its_best_mix_would_be_one_domain():
    one = table()
    alone = MixTable(
        one.data, one.sha256, DOMAINS, ["web"], [MixRow(r.where, r.weights, r.losses[:1]) for r in one.rows], []
    )
    with pytest.raises(UnfitRunsError, match="always all of a single domain"):
        fit_mix(alone, "m")


@pytest.mark.parametrize(
    ("center", "direction", "said"),
    [((0.0, 0.5, 0.5), (0, 1, -1), "web hardly varies"), ((0.4, 0.3, 0.3), (1, -0.5, -0.5), "rise and fall together")],
)
def test_weights_that_do_not_vary_on_their_own_are_refused(center, direction, said):
    base = table()
    steps = np.linspace(-0.2, 0.2, len(base.rows))[:, None]
    weights = np.array(center) + steps * np.array(direction)
    rows = [MixRow(r.where, tuple(w), r.losses) for r, w in zip(base.rows, weights, strict=True)]
    with pytest.raises(UnfitRunsError, match=said):
        fit_mix(MixTable("runs.csv", "0", DOMAINS, DOMAINS, rows, []), "m")


def test_an_unknown_target_is_named():
    with pytest.raises(SixndError, match="poems is no loss of the runs; they have web, code, books"):
        fit_mix(table(), "m", {"poems": 1})


def test_a_spec_takes_the_best_mix_by_name_and_then_kind():
    mix = fit_mix(table(noise=1e-3), "m").mix
    sources = [
        {"name": "code", "weight": "auto"},
        {"name": "crawl", "kind": "web", "weight": "auto"},
        {"name": "poems", "kind": "books", "weight": "auto"},
    ]
    shares = chosen(Data.model_validate({"mix": mix, "sources": sources})).shares
    weights = mix.weights()
    assert shares == pytest.approx([weights["code"], weights["web"], weights["books"]])


def test_rows_that_are_no_runs_are_named(tmp_path: Path):
    file = tmp_path / "runs.csv"
    head = "weight:web,weight:code,loss:web,loss:code\n"
    file.write_text(head + "0.5,0.5,3,2\n50,50,3,2\n0.5,0.5,nan,2\n-0.1,1.1,3,2\n0.4,0.6,3\n")
    found = read_mixes(file)
    assert [row.weights for row in found.rows] == [(0.5, 0.5)]
    assert [row.row for row in found.refused] == [f"runs.csv:{line}" for line in (3, 4, 5, 6)]
    assert "percent" in found.refused[0].why
