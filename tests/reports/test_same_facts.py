"""The JSON of a report and its page are of the same facts: every number of the one is on the other."""

import json
import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest

from sixnd.planner.ladder import Request, make_ladder
from sixnd.reports.difference import plan_difference, run_difference
from sixnd.reports.facts import law_facts, plan_facts, run_facts
from sixnd.reports.forgetting_comparison import forgetting_comparison
from sixnd.reports.html import comparison_html, difference_html, ladder_html, law_html, plan_html, run_html
from sixnd.reports.ladder_facts import ladder_facts
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.document import Document
from sixnd.specs.load import parse
from tests.reports import build, law_build
from tests.reports.evaluation_build import with_evaluations
from tests.reports.pages import continued_runs
from tests.specs.example import SPEC


def _plan() -> tuple[Document, str]:
    plan = build.costed_plan(build.big_plan())
    return plan_facts(plan), plan_html(plan)


def _run() -> tuple[Document, str]:
    plan = build.small_plan()
    record = with_evaluations(plan, build.resumed_run(plan))
    return run_facts(plan, record), run_html(plan, record)


def _law() -> tuple[Document, str]:
    return law_facts(law_build.law()), law_html(law_build.law())


def _ladder() -> tuple[Document, str]:
    made = make_ladder(parse(SPEC, "spec.yaml", BudgetSpec), Request(0.05, runs=6), "spec.yaml").ladder
    return ladder_facts(made), ladder_html(made)


def _plans() -> tuple[Document, str]:
    facts = plan_difference(build.small_plan(), build.big_plan())
    return facts, difference_html(facts)


def _runs() -> tuple[Document, str]:
    plan = build.small_plan()
    facts = run_difference(*[(plan, build.resumed_run(plan))] * 3)
    return facts, difference_html(facts)


def _forgetting() -> tuple[Document, str]:
    return forgetting_comparison(continued_runs()), comparison_html(continued_runs())


_KINDS: dict[str, Callable[[], tuple[Document, str]]] = {
    "plan": _plan,
    "run": _run,
    "law": _law,
    "ladder": _ladder,
    "plans": _plans,
    "runs": _runs,
    "forgetting": _forgetting,
}


_OF_ANOTHER_PAGE = {
    "run": {"plan", "data"},
    "forgetting": {"replayed", "highest", "bits_before", "bits_after", "bits_change", "held_out_tokens"},
}
"""Parts of the facts that a page leaves to the plan's, the data's or the single run's own report."""


@pytest.mark.parametrize("kind", _KINDS)
def test_every_number_of_the_json_is_on_the_page(kind: str) -> None:
    facts, page = _KINDS[kind]()
    data = json.loads(json.dumps(facts.plain(), allow_nan=False))
    told = set(_texts(data, _OF_ANOTHER_PAGE.get(kind, set())))
    shown = _shown(page)
    assert len(told) >= 10
    assert sorted(text for text in told if text not in shown) == []


def _texts(data: Any, without: set[str]) -> Iterator[str]:
    """What every figure says, the unit left to the column's head where it is the same for all."""
    if isinstance(data, dict):
        if {"value", "text", "full"} <= data.keys():
            yield data["text"].removesuffix(" nats").removesuffix(" FLOPs")
        else:
            for key, value in data.items():
                yield from () if key in without else _texts(value, without)
    if isinstance(data, list):
        for value in data:
            yield from _texts(value, without)


def _shown(page: str) -> str:
    """All that a page says: its text, and what its charts tell of a mark that is pointed at."""
    charts = re.search(r'id="chart-data">(.*?)</script>', page, re.DOTALL)
    assert charts is not None
    text = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    return unescape(text) + json.dumps(json.loads(charts[1]), ensure_ascii=False)
