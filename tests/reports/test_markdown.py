import re

from syrupy.assertion import SnapshotAssertion

from sixnd.reports.facts import run_facts
from sixnd.reports.markdown import plan_markdown, run_markdown
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord
from tests.reports import build
from tests.reports.conftest import masked


def test_a_plan_in_markdown(big_plan: Plan, golden: SnapshotAssertion) -> None:
    assert masked(plan_markdown(big_plan), big_plan) == golden


def test_a_run_in_markdown(small_plan: Plan, resumed: RunRecord, golden: SnapshotAssertion) -> None:
    assert masked(run_markdown(small_plan, resumed), small_plan) == golden


def test_every_table_row_has_as_many_cells_as_its_head(small_plan: Plan) -> None:
    text = run_markdown(build.hostile_plan(small_plan), build.hostile_run(small_plan))
    for table in re.findall(r"(?:^\|.*\|$\n?)+", _outside_fences(text), flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_hostile_text_stays_text(small_plan: Plan) -> None:
    text = _outside_fences(run_markdown(build.hostile_plan(small_plan), build.hostile_run(small_plan)))
    assert not re.search(r"(?<!\\)<(script|img)", text)
    assert not re.search(r"^# no heading", text, flags=re.MULTILINE)


def test_the_same_status_words_stand_in_every_rendering(small_plan: Plan, resumed: RunRecord) -> None:
    text = run_markdown(small_plan, resumed)
    for row in run_facts(small_plan, resumed).rows:
        assert f"| {row.label} |" in text
        assert f"| {row.status_text} |" in text


def _outside_fences(text: str) -> str:
    return re.sub(r"^(`{3,})text\n.*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
