"""Annealing in a plan: two phases of whole steps, what each reads, and why."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixnd.planner.annealing import annealing_shares, overall_shares, with_annealing
from sixnd.planner.explain import explain
from sixnd.planner.mix import planned_data
from sixnd.planner.plan import make_plan
from sixnd.specs.annealing import held_for_annealing
from sixnd.specs.budget import BudgetSpec, Data
from sixnd.specs.errors import InfeasibleError
from sixnd.specs.plan import Plan, PlannedData
from sixnd.specs.step_batches import StepBatches
from tests.planner.building import spec

WEB = {"name": "web", "kind": "web", "weight": 8, "unique_tokens": "30B tokens"}
CODE = {"name": "code", "kind": "code", "weight": 2, "unique_tokens": "1B tokens"}
BOOKS = {"name": "books", "kind": "books", "weight": 2}


def asked(anneal: dict | None, *sources: dict, **parts) -> BudgetSpec:
    return spec({"compute": 1e20}, data={"sources": list(sources or (WEB, CODE)), "anneal": anneal}, **parts)


def plan(anneal: dict | None, *sources: dict, **parts) -> Plan:
    return make_plan(asked(anneal, *sources, **parts))


def said(made: Plan) -> str:
    return next(decision.reason for decision in made.decisions if decision.what == "data.anneal")


@settings(deadline=None)
@given(
    share=st.floats(0.001, 0.999),
    steps=st.integers(2, 10_000),
    weights=st.lists(st.floats(0.01, 10), min_size=2, max_size=6),
    repeat=st.booleans(),
)
def test_phases_are_whole_steps_that_add_up_to_the_plan(share, steps, weights, repeat):
    sources = [{"name": f"s{i}", "weight": w, "unique_tokens": f"{w} tokens"} for i, w in enumerate(weights)]
    given_spec = asked({"share": share, "weights": {"s0": 3, "s1": 1}, "repeat": repeat}, *sources)
    made: PlannedData = with_annealing(given_spec, planned_data(given_spec, steps * 1024), steps, StepBatches(8))
    assert made.anneal is not None
    main, annealing = made.anneal.phases
    assert (main.first_step, main.last_step + 1, annealing.last_step) == (1, annealing.first_step, steps)
    assert abs(annealing.steps - share * steps) <= 1
    assert (main.tokens, annealing.tokens) == (main.steps * 1024, annealing.steps * 1024)
    for i, source in enumerate(made.sources):
        parts = [phase.sources[i] for phase in (main, annealing)]
        assert source.tokens == pytest.approx(sum(part.tokens for part in parts))
        assert source.unique_tokens is not None
        held = [part.unique_tokens for part in parts]
        assert held == (
            [source.unique_tokens] * 2 if repeat else pytest.approx([source.unique_tokens - held[1], held[1]])
        )
    assert sum(source.weight for source in made.sources) == pytest.approx(1)
    assert [part.share for part in annealing.sources[:2]] == [0.75, 0.25]


@settings(deadline=None)
@given(share=st.floats(0.01, 0.9), steps=st.lists(st.integers(2, 10_000), min_size=2, max_size=2))
def test_the_mix_of_a_tokenizer_is_that_of_every_length_of_the_run(share, steps):
    given_spec = asked({"share": share, "weights": {"code": 1, "books": 3}}, WEB, CODE, BOOKS | {"weight": 0})
    runs = [with_annealing(given_spec, planned_data(given_spec, n * 1024), n, StepBatches(8)) for n in steps]
    first, second = (run.tokenizer_shares for run in runs)
    assert first == second
    assert first["web"] == pytest.approx(0.8)
    assert first["books"] > 0, "text that only annealing reads"


@given(st.floats(1, 1e12), st.floats(1, 1e12), st.floats(1, 1e12))
def test_documents_held_apart_are_repeated_equally_often_in_both_phases_or_nowhere(unique, main, annealing):
    apart = held_for_annealing(unique, main, annealing)
    epochs = main / (unique - apart) if unique > apart else np.inf, annealing / apart
    if unique >= main + annealing:
        assert max(epochs) <= 1 + 1e-6
    else:
        assert epochs[0] == pytest.approx(epochs[1], rel=1e-3)


def test_without_annealing_a_plan_has_one_phase_and_says_nothing_of_it():
    made = plan(None)
    [phase] = made.phases
    assert (phase.name, phase.first_step, phase.last_step) == ("main", 1, made.training.steps)
    assert [part.tokens for part in phase.sources] == [source.tokens for source in made.data.sources]
    assert made.data.anneal is None
    assert "data.anneal" not in {decision.what for decision in made.decisions}


def test_by_default_the_last_tenth_reads_more_code_mathematics_books_and_encyclopaedia():
    data = Data.model_validate({"sources": [WEB, CODE, BOOKS], "anneal": {}})
    assert data.anneal is not None
    main = np.array([8, 2, 2]) / 12
    assert annealing_shares(data, data.anneal).shares == pytest.approx(0.7 * main + 0.3 * np.array([0, 0.5, 0.5]))
    assert overall_shares(data) == pytest.approx(main + 0.1 * 0.3 * (np.array([0, 0.5, 0.5]) - main))


def test_a_published_mix_leaves_out_what_it_has_no_domain_for_and_says_what_no_source_has():
    made = plan({"mix": "olmo-2-anneal-50b"})
    assert [part.share for part in made.phases[1].sources] == [1.0, 0.0]
    assert any("no source has its mathematics" in warning for warning in made.warnings)


@pytest.mark.parametrize(
    ("training", "told"),
    [
        ({"schedule": "wsd", "decay_fraction": 0.1}, "starts with the cooldown"),
        ({"schedule": "wsd", "decay_fraction": 0.2}, "after the cooldown"),
        ({"schedule": "wsd", "decay_fraction": 0.05}, "before the cooldown"),
        ({"schedule": "cosine", "final_lr_fraction": 0.0}, "fallen to 3% of its peak"),
        ({"schedule": "inverse-square-root", "decay_fraction": 0.1}, "starts with the cooldown"),
        ({"schedule": "inverse-square-root", "decay_fraction": 0.0}, "an inverse square root, has fallen to 15% of"),
    ],
)
def test_the_decision_says_how_annealing_stands_to_the_learning_rate(training, told):
    assert told in said(plan({}, training=training))


def test_a_source_too_small_for_both_phases_is_warned_of_unless_it_may_repeat():
    weights = {"code": 1, "web": 1}
    warned = [warning for warning in plan({"weights": weights}).warnings if "too few" in warning]
    assert len(warned) == 1
    assert "'code' holds 1e+09" in warned[0]
    assert not [each for each in plan({"weights": weights, "repeat": True}).warnings if "too few" in each]


def test_another_annealing_is_another_model():
    plans = [plan(anneal) for anneal in (None, {}, {"share": 0.2}, {"weights": {"code": 1}}, {"repeat": True})]
    assert len({made.fingerprint() for made in plans}) == len(plans)


def test_the_loss_sees_the_tokens_that_annealing_repeats():
    small = CODE | {"unique_tokens": "50M tokens"}
    worth = [plan(anneal, WEB, small).estimates.tokens_worth for anneal in (None, {"weights": {"code": 1}})]
    assert worth[0] is not None
    assert worth[1] is not None
    assert worth[1].value < worth[0].value


def test_one_step_cannot_be_two_phases():
    one = asked({})
    with pytest.raises(InfeasibleError, match="one step"):
        with_annealing(one, planned_data(one, 1024), 1, StepBatches(8))


def test_annealing_is_explained_from_its_steps_to_its_epochs():
    made = plan({})
    steps = {step.step: step.value for step in explain(made, "anneal").steps}
    code = made.phases[1].sources[1]
    assert steps["steps of annealing"] == made.phases[1].steps
    assert steps["tokens of code"] == code.tokens
    assert steps["epochs of code"] == code.epochs


def test_a_source_of_weight_0_is_read_in_annealing_alone_and_worth_what_that_reads():
    made = plan({"share": 0.1, "weights": {"code": 1}}, WEB, CODE | {"weight": 0})
    main, annealing = made.phases
    assert [part.share for part in main.sources] == [1.0, 0.0]
    assert [part.share for part in annealing.sources] == [0.0, 1.0]
    web, code = made.data.sources
    assert code.tokens == annealing.tokens
    assert code.epochs == pytest.approx(annealing.tokens / 1e9)
    assert web.tokens == main.tokens
    assert explain(made, "mix").steps
