"""The data mix: shares by each rule, what they amount to, limits of epochs, and quality against quantity."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.planner.mix import check_epochs, chosen, planned_data, shares_by_size
from sixnd.planner.plan import make_plan
from sixnd.planner.quality import Text, equal_blends
from sixnd.planner.repetition import worth_of
from sixnd.specs import catalog
from sixnd.specs.budget import Data
from sixnd.specs.errors import InfeasibleError
from tests.planner.building import spec

SIZES = st.lists(st.floats(1e6, 1e14), min_size=1, max_size=8)
R = 15.4
LLAMA_1 = {
    "mix": "llama-1",
    "sources": [
        {"name": "crawl", "kind": "web", "weight": "auto"},
        {"name": "github", "kind": "code", "weight": "auto"},
        {"name": "wiki", "kind": "encyclopaedia", "weight": "auto"},
    ],
}


def data(*sources, **parts) -> Data:
    named = [{"name": f"s{i}", "weight": "auto"} | source for i, source in enumerate(sources)]
    return Data.model_validate({"sources": named} | parts)


def planned(sources, tokens=10**9, **parts):
    return planned_data(spec({"compute": 1e20}, data={"sources": sources} | parts), tokens)


@given(SIZES, st.floats(0.2, 50))
def test_shares_sum_to_one_at_any_temperature(sizes, temperature):
    assert shares_by_size(np.array(sizes), temperature).sum() == pytest.approx(1)


@given(SIZES)
def test_a_proportional_mix_reads_every_source_equally_often(sizes):
    shares = chosen(data(*({"unique_tokens": f"{n} tokens"} for n in sizes))).shares
    epochs = shares / np.array(sizes)
    assert epochs == pytest.approx(np.full(len(sizes), epochs[0]), rel=1e-6)


@given(SIZES)
def test_temperature_one_is_proportional_and_an_infinite_one_uniform(sizes):
    unique = np.array(sizes)
    assert shares_by_size(unique, 1.0) == pytest.approx(unique / unique.sum())
    assert shares_by_size(unique, math.inf) == pytest.approx(np.full(len(sizes), 1 / len(sizes)))


@given(SIZES, st.floats(1, 50))
def test_a_larger_source_never_gets_less(sizes, temperature):
    shares = shares_by_size(np.sort(np.array(sizes)), temperature)
    assert np.all(np.diff(shares) >= 0)


@given(st.floats(1e6, 1e12), st.floats(1.01, 20))
def test_a_higher_temperature_never_gives_the_smallest_source_less(size, temperature):
    unique = np.array([size, 10 * size])
    assert shares_by_size(unique, temperature)[0] >= shares_by_size(unique, 1.0)[0]


@given(st.floats(1e6, 1e12), st.floats(0, 1))
def test_tokens_read_once_are_worth_themselves(unique, part):
    assert worth_of(part * unique, unique, R) == pytest.approx(part * unique)


@given(st.floats(1e6, 1e12), st.floats(1.001, 1000))
def test_repeated_tokens_are_worth_less_than_new_ones_but_never_less_than_none(unique, epochs):
    worth = worth_of(epochs * unique, unique, R)
    assert unique <= worth < epochs * unique


def test_weights_as_numbers_plan_as_before():
    made = planned([{"name": "web", "weight": 3}, {"name": "code", "weight": 1}])
    assert [s.weight for s in made.sources] == [0.75, 0.25]


def test_a_share_given_beside_auto_is_kept_and_the_rest_divided():
    found = chosen(data({"weight": 0.1}, {"unique_tokens": "30B tokens"}, {"unique_tokens": "10B tokens"}))
    assert found.shares == pytest.approx([0.1, 0.675, 0.225])


def test_a_published_mix_is_matched_by_kind_and_what_no_source_has_goes_to_the_others():
    found = chosen(Data.model_validate(LLAMA_1))
    assert found.shares == pytest.approx(np.array([0.82, 0.045, 0.045]) / 0.91)
    assert found.lost == pytest.approx({"books": 0.045, "papers": 0.025, "questions": 0.02})
    warned = make_plan(spec({"compute": 1e20}, data=LLAMA_1)).warnings
    assert any("no source has its books" in each and "0.09" in each for each in warned)


def test_sources_of_one_kind_share_its_weight_by_size():
    one, two = {"kind": "web", "unique_tokens": "3T tokens"}, {"kind": "web", "unique_tokens": "1T tokens"}
    found = chosen(data(one, two, {"kind": "code"}, mix="llama-1"))
    assert found.shares[0] == pytest.approx(3 * found.shares[1])
    assert found.shares[:2].sum() / found.shares[2] == pytest.approx(0.82 / 0.045)


def test_a_source_of_no_domain_takes_what_the_mix_calls_other():
    found = chosen(data({"kind": "web"}, {"kind": "law"}, mix="llama-3-estimate"))
    assert found.shares[1] / found.shares[0] == pytest.approx(0.10 / 0.65)


@pytest.mark.parametrize("name", catalog.names("mixes"))
def test_published_weights_sum_to_one_within_rounding(name):
    mix = catalog.mix(name)
    assert sum(domain.weight for domain in mix.domains) == pytest.approx(1, abs=0.011)
    assert sum(mix.weights().values()) == pytest.approx(1)


@pytest.mark.parametrize("name", catalog.names("mixes"))
def test_published_epochs_are_those_that_weights_and_sizes_give(name):
    mix = catalog.mix(name)
    told = [d for d in mix.domains if d.epochs and d.unique_tokens and mix.tokens]
    for domain in told:
        assert domain.weight * mix.tokens / domain.unique_tokens == pytest.approx(domain.epochs, rel=0.02)


def test_only_a_guess_is_called_one():
    assert [name for name in catalog.names("mixes") if catalog.mix(name).estimate] == ["llama-3-estimate"]
    sources = [{"name": "web", "weight": "auto"}, {"name": "code", "weight": "auto"}]
    made = make_plan(spec({"compute": 1e20}, data={"mix": "llama-3-estimate", "sources": sources}))
    assert any("an estimate, not a publication" in each for each in made.warnings)


def test_a_plan_says_what_each_source_is_worth_and_why_its_share():
    sources = [{"name": "web", "weight": "auto", "unique_tokens": "1B tokens", "kind": "web"}]
    made = make_plan(spec({"compute": 1e20}, data={"sources": sources}))
    source = made.data.sources[0]
    assert source.epochs > 1
    assert source.unique_tokens < source.tokens_worth < source.tokens
    assert source.tokens_worth == pytest.approx(made.estimates.tokens_worth.value)
    decision = next(each for each in made.decisions if each.what == "data.sources")
    assert "proportional" in decision.reason
    assert not decision.pinned


def test_kind_and_worth_are_no_part_of_a_run_s_fingerprint():
    plain = {"name": "web", "unique_tokens": "1B tokens"}
    one, other = (make_plan(spec({"compute": 1e20}, data={"sources": [s]})) for s in (plain, plain | {"kind": "web"}))
    assert one.fingerprint() == other.fingerprint()


def test_more_epochs_than_allowed_are_infeasible_and_each_remedy_named_is_one():
    sources = [{"name": "web", "unique_tokens": "1B tokens"}, {"name": "wiki", "unique_tokens": "20M tokens"}]
    asked = {"sources": sources, "max_epochs": 4}
    with pytest.raises(InfeasibleError, match=r"wiki: .* are .* epochs") as caught:
        make_plan(spec({"compute": 1e20}, data=asked))
    assert caught.value.exit_code == 4
    most = float(str(caught.value).split("data.tokens of at most ")[1].split()[0])
    assert most == pytest.approx(4 * 20e6 / 0.5)
    needed = float(str(caught.value).split("max_epochs of at least ")[1].split(",")[0])
    check = spec({"compute": 1e20}, data=asked | {"max_epochs": needed * 1.001})
    check_epochs(check, make_plan(check).data)
    check_epochs(spec({"compute": 1e20}, data=asked), planned(sources, tokens=int(most)))


@settings(max_examples=50)
@given(st.floats(1.1, 20), st.floats(0.05, 0.9))
def test_the_planned_share_of_the_best_text_needs_the_planned_tokens(quality, share):
    text = Text(np.array([share, 1 - share]), np.array([1e9, 1e11]), np.array([quality, 1.0]), R)
    (found,) = equal_blends(text, 2e10, [share])
    assert found.tokens == pytest.approx(2e10, rel=1e-9)


def test_better_text_needs_fewer_tokens_until_it_wears_out():
    text = Text(np.array([0.1, 0.9]), np.array([1e9, 1e12]), np.array([5.0, 1.0]), R)
    none, some, most, alone = equal_blends(text, 2e10, [0.0, 0.2, 0.9, 1.0])
    assert some.tokens < none.tokens
    assert none.best_epochs == 0
    assert most.best_epochs > some.best_epochs > 1
    assert text.effective(some.tokens, text.with_best(0.2)) == pytest.approx(text.effective(2e10))
    assert alone.tokens == pytest.approx(text.unique[0] * alone.best_epochs)
    scarce = Text(np.array([0.1, 0.9]), np.array([1e8, 1e12]), np.array([5.0, 1.0]), R)
    assert equal_blends(scarce, 2e10, [1.0])[0].tokens is None
