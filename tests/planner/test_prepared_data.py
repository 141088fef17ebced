"""A plan of prepared data: what was measured takes the place of what was declared."""

import pytest

from sixnd.planner.explain import explain
from sixnd.planner.plan import make_plan
from sixnd.planner.rungs import template
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.plan import Plan
from sixnd.specs.prepared_checks import prepared_problems
from tests.planner.building import spec
from tests.specs.preparing import prepared

SOURCES = [
    {"name": "web", "weight": "auto", "unique_tokens": "40B tokens", "path": "web/*.jsonl"},
    {"name": "code", "weight": "auto"},
]


def on_prepared(*sources: dict[str, object], tokens: int = 2_000_000_000, **changes: object) -> BudgetSpec:
    """The spec with data as it could have been prepared for it."""
    plain = spec({"compute": 1e20}, data={"sources": list(sources or SOURCES)})
    measured = prepared(plain, tokens, **changes)
    return plain.model_copy(update={"data": plain.data.model_copy(update={"prepared": measured})})


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(on_prepared())


def test_shares_epochs_and_worth_follow_what_was_measured(plan):
    web, code = plan.data.sources
    assert (web.unique_tokens, code.unique_tokens) == (1.98e9, 1.98e9), "a hundredth is held out"
    assert (web.weight, code.weight) == (0.5, 0.5)
    assert web.measured
    assert code.measured
    assert web.epochs == web.tokens / 1.98e9
    assert plan.estimates.tokens_worth is not None


def test_the_decision_says_that_tokens_were_measured_and_by_which_preparation(plan):
    (decision,) = [d for d in plan.decisions if d.what == "data.sources"]
    assert "measured after deduplication (data.prepared: test), less the 0.01 of them" in decision.reason


def test_a_declared_number_that_differs_is_told_with_both_figures(plan):
    (told,) = [warning for warning in plan.warnings if "declared" in warning]
    assert "'web'" in told
    assert "4e+10" in told
    assert "2e+09" in told
    agreed = make_plan(on_prepared({"name": "web", "unique_tokens": "2B tokens"}))
    assert not [warning for warning in agreed.warnings if "declared" in warning]


def test_the_vocabulary_is_that_of_the_prepared_tokenizer(plan):
    assert plan.model.vocab_size == 32_768
    smaller = make_plan(on_prepared(vocab_size=9_000))
    assert smaller.model.vocab_size == 9_000
    (decision,) = [d for d in smaller.decisions if d.what == "model.vocab_size"]
    assert "data.prepared" in decision.source


def test_an_explanation_names_the_measurement(plan):
    found = {step.step: step for step in explain(plan, "mix").steps}
    assert found["epochs of code"].source == "measured: data.prepared"


def test_the_fingerprint_follows_the_prepared_data_and_not_where_it_lies(plan):
    assert make_plan(on_prepared(folder="/elsewhere")).fingerprint() == plan.fingerprint()
    assert make_plan(on_prepared(tokenizer_sha256="1" * 64)).fingerprint() != plan.fingerprint()


def test_rungs_of_a_ladder_take_the_same_prepared_data_from_elsewhere():
    shared = template(on_prepared(), 32_768, lambda path: f"../{path}")
    assert shared.data.sources[0].path == "../web/*.jsonl"
    assert prepared_problems(shared) == []
