"""The derivation and the ladder of a plan's report: told once, in order, and the same in every rendering."""

import json
from dataclasses import asdict
from html import unescape

import pytest

from sixnd.planner.explain import explain
from sixnd.planner.ladder import Request, make_ladder
from sixnd.planner.plan import make_plan
from sixnd.reports.html import plan_html
from sixnd.reports.markdown import plan_markdown
from sixnd.reports.plan_facts import plan_facts
from sixnd.reports.plan_tables import plan_tables
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.load import parse
from sixnd.specs.reasoning import Chain, Link, Reasoning
from tests.specs.example import SPEC


@pytest.fixture(scope="module")
def plan():
    return make_plan(parse(SPEC, "spec.yaml", BudgetSpec))


@pytest.fixture(scope="module")
def told(plan):
    """As ``reasoning`` makes it, with a ladder of fewer runs."""
    chains = [Chain(**asdict(explain(plan, name))) for name in ("N", "D", "loss")]
    return Reasoning(chains=chains, ladder=make_ladder(plan.spec, Request(0.05, runs=6), "example.yaml").ladder)


def test_steps_are_counted_through_and_none_is_told_twice(plan, told):
    facts = plan_facts(plan, told)
    assert [one.key for one in facts.derivations] == ["params", "tokens", "loss"]
    steps = [step for one in facts.derivations for step in one.steps]
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    assert len({(step.step, step.formula, step.value.text) for step in steps}) == len(steps)
    assert all(step.source for step in steps)


def test_the_last_step_of_each_chain_s_own_kind_is_the_plan_s_number(plan, told):
    values = {step.step: step.value.value for one in plan_facts(plan, told).derivations for step in one.steps}
    assert values["N"] == plan.model.params
    assert values["D"] == plan.data.tokens
    assert values["L"] == pytest.approx(plan.estimates.loss.value)


def test_a_page_and_markdown_show_every_step_of_the_facts(plan, told):
    facts = json.loads(json.dumps(plan_facts(plan, told).plain()))
    page, text = unescape(plan_html(plan, told)), plan_markdown(plan, told).replace("\\", "")
    for chain in facts["derivations"]:
        for step in chain["steps"]:
            assert step["value"]["full"] in page
            assert step["value"]["full"] in text
    for pair in facts["ladder"]["numbers"]:
        assert pair["text"] in page
        assert pair["text"] in text


def test_without_reasoning_nothing_is_promised(plan):
    facts = plan_facts(plan)
    assert facts.derivations == []
    assert not {"ladder", "derivation-params"} & {table.key for table in plan_tables(facts)}


def test_what_is_left_out_is_told_with_its_reason(plan):
    facts = Reasoning(untold="its spec was changed", no_ladder="too small")
    for shown in (unescape(plan_html(plan, facts)), plan_markdown(plan, facts)):
        assert "left out: its spec was changed" in shown
        assert "No ladder for this plan: too small" in shown


def test_a_number_that_is_not_finite_is_text_alone(plan):
    link = Link(step="x", formula="0/0", value=float("inf"), unit="times")
    facts = plan_facts(plan, Reasoning(chains=[Chain(name="model.params", value="1", pinned=False, steps=[link])]))
    assert facts.derivations[0].steps[0].value.value is None
    json.dumps(facts.plain(), allow_nan=False)
