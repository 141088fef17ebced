"""Audits: what arithmetic, a law and published runs say of a claim."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.planner import laws
from sixnd.planner.audit import audit
from sixnd.planner.published import known_runs, run_mfu, typical_mfu
from sixnd.specs import catalog
from sixnd.specs.claim import Claim, IncompleteClaimError, claim_of_run
from sixnd.specs.errors import InfeasibleError

LAW = catalog.planning_law("besiroglu-2024")
A100, PEAK = "64 x a100-sxm", 312e12


def audited(**claim):
    return audit(Claim.model_validate({"version": "claim/1"} | claim), LAW)


def test_a_7b_model_on_1t_tokens_in_15_days_on_64_a100_needs_162_percent():
    found = audited(params="7B", tokens="1T", accelerators=A100, time="15 days")
    assert found.mfu_needed == pytest.approx(1.62, abs=0.005)
    assert found.verdict.key == "impossible"
    assert "162 % MFU" in found.verdict.sentence
    assert not found.verdict.can_be_true


@pytest.mark.parametrize(
    ("days", "key"), [(30, "implausible"), (50, "plausible"), (150, "plausible"), (200, "suspiciously low")]
)
def test_the_longer_the_same_training_takes_the_lower_the_mfu_it_needs(days, key):
    found = audited(params="7B", tokens="1T", accelerators=A100, time=f"{days} days")
    assert found.mfu_needed == pytest.approx(4.2e22 / (64 * PEAK * days * 86400))
    assert found.verdict.key == key
    assert found.verdict.can_be_true


@pytest.mark.parametrize(
    ("name", "ratio", "digits"),
    [
        ("gpt-3-175b", 0.09, 2),
        ("chinchilla-70b", 1, 0),
        ("llama-1-7b", 7, 0),
        ("llama-2-70b", 1.4, 1),
        ("llama-3-8b", 94, 0),
        ("llama-3-70b", 11, 0),
    ],
)
def test_the_known_table_of_over_training_comes_out(name, ratio, digits):
    run = {each.name: each for each in known_runs(LAW.law)}[name]
    assert round(run.over_training, digits) == ratio
    best = laws.optimum(LAW.law, 6 * run.params * run.tokens)
    assert run.over_law == pytest.approx(run.tokens_per_param * best.params / best.tokens)


@pytest.mark.parametrize("name", catalog.names("published-runs"))
def test_every_published_run_can_be_true(name):
    """A verdict that refused what has been done would be wrong."""
    found = audit(claim_of_run(name), LAW)
    assert found.verdict.key in ("plausible", "not judged")
    assert found.mfu_needed == run_mfu(catalog.published_run(name))
    assert not found.disagreements


def test_what_is_typical_lies_below_what_benchmarks_reached():
    runs = typical_mfu()
    records = [catalog.published_mfu(name) for name in catalog.names("published-mfu")]
    assert runs.lowest < runs.median < runs.highest < max(each.mfu for each in records if each.precision == "bf16")


POSITIVE = st.floats(1e-3, 1e3)


@settings(max_examples=20)
@given(POSITIVE, POSITIVE, st.integers(1, 10_000), st.floats(0.05, 0.6), st.floats(0.5, 5))
def test_whatever_is_left_out_of_a_true_claim_is_found_again(params, tokens, count, mfu, price):
    """All numbers of one made-up run; any subset from which the rest follows gives the rest."""
    N, D = params * 1e9, tokens * 1e9
    hours = 6 * N * D / (mfu * PEAK * 3600)
    whole = {
        "params": N,
        "tokens": D,
        "accelerators": f"{count} x a100-sxm",
        "time": f"{hours * 3600 / count!r} seconds",
        "accelerator_hours": f"{hours!r} GPU-hours",
        "money": hours * price,
        "price": price,
        "mfu": mfu,
    }
    truth = {"params": N, "tokens": D, "count": count, "time_s": hours * 3600 / count, "accelerator_hours": hours}
    truth |= {"money_usd": hours * price, "price_usd": price, "mfu": mfu, "compute": 6 * N * D}
    for left_out in (["time", "accelerator_hours"], ["mfu"], ["tokens"], ["params", "money"], ["price", "mfu", "time"]):
        found = audited(**{name: value for name, value in whole.items() if name not in left_out})
        assert {name: known.value for name, known in found.values.items()} == pytest.approx(truth, rel=1e-9)
        assert not [each for each in found.disagreements if each.refutes]


def test_numbers_that_contradict_each_other_are_named():
    hours = audited(params="7B", tokens="1T", accelerators=A100, time="50 days", accelerator_hours="1000k GPU-hours")
    assert hours.verdict.key == "contradictory"
    assert "1e+06, accelerators × time says 7.68e+04" in hours.verdict.sentence
    compute = audited(params="7B", tokens="1T", compute="1e22 FLOPs")
    assert "6·N·D says 4.2e+22" in compute.verdict.sentence
    mfu = audited(params="7B", tokens="1T", accelerators=A100, time="50 days", mfu=0.2)
    assert "claimed MFU is 20 %, the compute in these hours needs 48.7 %" in mfu.verdict.sentence


def test_hours_may_hold_more_than_training_but_not_less():
    found = audited(params="7B", tokens="1T", accelerators=A100, time="100 days", mfu="45 %")
    assert found.verdict.key == "plausible"
    assert [each.refutes for each in found.disagreements] == [False]


def test_money_buys_hours_at_the_catalog_s_price_where_none_is_claimed():
    price = catalog.accelerator("a100-sxm-80gb").price
    found = audited(params="7B", tokens="1T", accelerator="a100-sxm", money="100k USD")
    assert found.values["accelerator_hours"].value == pytest.approx(1e5 / price.usd_per_hour)
    assert any(price.date in note for note in found.notes)
    cheap = audited(params="7B", tokens="1T", accelerator="a100-sxm", money="1k USD", accelerator_hours="80k GPU-hours")
    assert any("outside what was offered" in each.sentence for each in cheap.disagreements)


def test_a_loss_stands_for_the_tokens_or_the_compute_that_reach_it():
    tokens = audited(params="7B", loss=2.1)
    assert laws.loss(LAW.law, 7e9, tokens.values["tokens"].value) == pytest.approx(2.1)
    least = audited(loss=2.1)
    assert least.best.loss == pytest.approx(2.1)
    assert least.values["compute"].value < tokens.values["compute"].value
    assert least.run is None
    params = audited(tokens="1T", loss=2.1)
    assert laws.loss(LAW.law, params.values["params"].value, 1e12) == pytest.approx(2.1)


def test_a_loss_that_the_law_never_reaches_is_infeasible():
    for claim in ({"loss": 1.5}, {"params": "7B", "loss": 1.99}, {"tokens": "20B", "loss": 1.9}):
        with pytest.raises(InfeasibleError, match="reaches a loss"):
            audited(**claim)


def test_a_loss_the_law_does_not_expect_is_told_without_refusing_it():
    below = audited(params="7B", tokens="1T", loss=1.8)
    far = audited(params="7B", tokens="1T", loss=2.5)
    near = audited(params="7B", tokens="1T", loss=2.09)
    assert "irreducible loss" in below.disagreements[0].sentence
    assert "(95 %)" in far.disagreements[0].sentence
    assert not near.disagreements
    assert below.verdict.can_be_true


def test_a_mixture_of_experts_computes_with_its_active_parameters():
    found = audited(params="671B", active_params="37B", tokens="14.8T")
    assert found.values["compute"].value == pytest.approx(6 * 37e9 * 14.8e12)


def test_the_same_loss_never_takes_less_compute_than_the_law_s_best():
    found = audited(params="8B", tokens="15T")
    assert found.run.least_compute < found.values["compute"].value
    assert found.best.loss < found.run.loss
    assert math.isclose(laws.optimum(LAW.law, found.run.least_compute).loss, found.run.loss, rel_tol=1e-9)


def test_a_claim_with_too_little_says_what_is_needed():
    with pytest.raises(IncompleteClaimError, match=r"params claimed.*give params and tokens, or compute"):
        audited(params="7B")
    with pytest.raises(IncompleteClaimError, match=r"at 100 % MFU these 2.304e\+04 accelerator-hours hold 2.59e\+22"):
        audited(accelerators=A100, time="15 days")
