"""The report of a ladder: what it costs and tells, and that every rendering shows the same."""

import json
from html import unescape

import pytest

from sixnd.planner.ladder import Request, make_ladder
from sixnd.reports.html import ladder_html
from sixnd.reports.ladder_charts import ladder_charts
from sixnd.reports.ladder_facts import ladder_facts
from sixnd.reports.markdown import ladder_markdown
from sixnd.reports.terminal import ladder_text
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.load import parse
from tests.specs.example import SPEC


@pytest.fixture(scope="module")
def ladder():
    return make_ladder(parse(SPEC, "spec.yaml", BudgetSpec), Request(0.05, runs=6), "spec.yaml").ladder


def test_the_facts_are_those_of_the_document(ladder):
    facts = ladder_facts(ladder)
    assert [row.params.value for row in facts.rungs] == [rung.params for rung in ladder.rungs]
    assert facts.tells[0].params.low == ladder.before.params_95[0]
    assert [row.label for row in facts.designs if row.chosen] == ["optimal design, 6 runs (chosen)"]
    json.dumps(facts.plain(), allow_nan=False)


def test_the_verdict_says_what_is_bought_and_for_how_much(ladder):
    verdict = ladder_facts(ladder).verdict
    assert verdict.startswith("6 runs for ")
    assert ladder_facts(ladder).tells[1].factor.text in verdict


def test_page_markdown_and_terminal_show_every_rung_and_note_of_the_facts(ladder):
    facts = ladder_facts(ladder)
    page, text = unescape(ladder_html(ladder)), ladder_markdown(ladder).replace("\\", "")
    printed = ladder_text(ladder, 400)
    for shown in (page, text, printed):
        for row in facts.rungs:
            assert row.name in shown
            assert row.money.text in shown
        for note in facts.notes:
            assert note in shown


def test_rungs_and_target_are_drawn_where_they_stand(ladder):
    (chart,) = ladder_charts(ladder_facts(ladder))
    rows = chart.spec["layer"][1]["data"]["values"]
    assert [(row["N"], row["D"]) for row in rows[:-1]] == [(rung.params, rung.tokens) for rung in ladder.rungs]
    assert (rows[-1]["N"], rows[-1]["D"]) == (ladder.target.params, ladder.target.tokens)
    assert all(rung.name in chart.alternative for rung in ladder.rungs)


def test_the_terminal_keeps_to_its_width(ladder):
    assert max(map(len, ladder_text(ladder, 80).splitlines())) <= 80
