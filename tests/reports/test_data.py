"""What became of the data, in every report: counts by stage, reasons, examples, licences, and the curve."""

import re

import pytest

from sixnd.reports.data_facts import Account, data_facts
from sixnd.reports.data_tables import data_tables
from sixnd.reports.html import plan_html, run_html
from sixnd.reports.markdown import plan_markdown, run_markdown
from sixnd.reports.run_facts import run_facts
from sixnd.reports.tables import Table
from sixnd.specs import catalog
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord
from sixnd.specs.text_filters import NearDedup
from tests.reports import build


def account(**changes: object) -> Account:
    plain = {
        "name": "web",
        "stages": build.stages("a text", 1200),
        "damage": [],
        "licences": {"MIT": 1200},
        "languages": {},
        "documents": 1200,
        "bytes": 7_200_000,
        "tokens": None,
        "own_stages": 3,
    }
    return Account(**(plain | changes))  # type: ignore[arg-type]


def table(key: str, *accounts: Account) -> Table:
    (found,) = [one for one in data_tables(data_facts(accounts)) if one.key == key]
    return found


def test_documents_and_text_are_told_stage_by_stage() -> None:
    lines = [line.cells for line in table("stages", account()).lines]
    assert lines[0] == ("web", "gopher-quality", "1,500", "1,290", "86.0 %", "9 MB", "7.74 MB")
    assert [line[1] for line in lines] == ["gopher-quality", "scrub-pii", "near-dedup"]


def test_stages_that_ran_over_all_sources_are_told_as_such() -> None:
    shown = table("stages", account(own_stages=2))
    assert [line.cells[1] for line in shown.lines] == ["gopher-quality", "scrub-pii", "near-dedup across sources"]


def test_what_is_left_of_all_sources_is_summed_up_from_what_was_read() -> None:
    whole = account(name="code", stages=[], documents=500, bytes=1_800_000)
    (told,) = table("stages", account(), whole).notes
    assert told == "2,000 documents with 10.8 MB were read; 1,700 (85.0 %) with 9 MB (83.3 %) are left."


def test_a_source_of_which_nothing_is_left_divides_by_nothing() -> None:
    empty = account(stages=[], documents=0, bytes=0, licences={}, tokens=0)
    assert "0 documents" in data_facts([empty]).summary


def test_rare_licences_are_counted_together() -> None:
    licences = {"MIT": 100} | {f"licence {i}": 1 for i in range(40)}
    lines = [line.cells for line in table("licences", account(licences=licences)).lines]
    assert len(lines) == 13
    assert lines[0] == ("web", "MIT", "100", "71.4 %")
    assert lines[-1] == ("web", "29 others", "29", "20.7 %")


def test_a_licence_that_no_document_states_is_told_as_such() -> None:
    assert table("licences", account(licences={"": 3})).lines[0].cells == ("web", "not stated", "3", "100.0 %")


def test_the_curve_is_that_of_the_settings_and_stands_once_for_sources_that_share_them() -> None:
    shown = table("compared", account(), account(name="other"))
    published = catalog.text_filter("near-dedup").settings
    assert isinstance(published, NearDedup)
    assert len(shown.lines) == 1
    at = {column.label: cell for column, cell in zip(shown.columns, shown.lines[0].cells, strict=True)}
    assert at["0.8"] == f"{published.candidate_probability(0.8):.1%}".replace("%", " %")


def test_a_run_tells_what_its_record_says_of_the_data(small_plan: Plan, resumed: RunRecord) -> None:
    facts = run_facts(small_plan, resumed).data
    assert [source.name for source in facts.sources] == [source.name for source in small_plan.data.sources]
    assert [stage.name for stage in facts.sources[1].stages] == ["gopher-quality", "scrub-pii", "near-dedup"]


def test_removed_documents_are_folded_up_in_markdown_and_html(small_plan: Plan, resumed: RunRecord) -> None:
    for page in (run_markdown(small_plan, resumed), run_html(small_plan, resumed)):
        folded = re.findall(r"<details>.*?</details>", page, re.DOTALL)
        assert len(folded) == 4
        assert all("at least 50" in one and "and more" in one for one in folded)


def test_hostile_text_of_a_removed_document_stays_text_in_markdown(small_plan: Plan) -> None:
    page = run_markdown(small_plan, build.hostile_run(small_plan))
    assert "<img" in page, "the text is there, in fences"
    outside = re.sub(r"^(`{3,})text\n.*?^\1$", "", page, flags=re.DOTALL | re.MULTILINE)
    markup = set(re.findall(r"(?<!\\)<[^>]*>", outside))
    assert markup == {"<details>", "</details>", "<summary>", "</summary>"}


@pytest.mark.parametrize("draw", [plan_markdown, plan_html])
def test_a_plan_names_the_stages_of_each_source_in_order(small_plan: Plan, big_plan: Plan, draw) -> None:
    across = [catalog.text_filter("exact-dedup").settings]
    data = small_plan.data.model_copy(update={"across": across})
    page = draw(small_plan.model_copy(update={"data": data}))
    assert "gopher-quality, scrub-pii, near-dedup, exact-dedup across sources" in page
    assert "Text and what is done to it" not in draw(big_plan)


def test_a_plan_says_whether_unique_tokens_were_counted_or_declared(small_plan: Plan) -> None:
    counted = [source.model_copy(update={"measured": True}) for source in small_plan.data.sources]
    data = small_plan.data.model_copy(update={"sources": counted})
    assert "unique tokens as declared" in plan_markdown(small_plan)
    assert "unique tokens as counted" in plan_markdown(small_plan.model_copy(update={"data": data}))
