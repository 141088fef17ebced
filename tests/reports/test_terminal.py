import pytest
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion

from sixnd.reports.terminal import plan_text, run_text
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord
from tests.reports import build
from tests.reports.conftest import masked


@pytest.mark.parametrize("width", [80, 120])
def test_a_plan_in_the_terminal(big_plan: Plan, golden: SnapshotAssertion, width: int) -> None:
    assert masked(plan_text(big_plan, width), big_plan) == golden


@pytest.mark.parametrize("width", [80, 120])
def test_a_run_in_the_terminal(small_plan: Plan, resumed: RunRecord, golden: SnapshotAssertion, width: int) -> None:
    assert masked(run_text(small_plan, resumed, width), small_plan) == golden


@pytest.mark.parametrize("width", [60, 80, 97, 140, 200])
def test_no_line_is_wider_than_the_terminal(small_plan: Plan, width: int) -> None:
    plan = build.hostile_plan(small_plan)
    lines = (plan_text(plan, width) + run_text(plan, build.hostile_run(small_plan), width)).splitlines()
    assert max(cell_len(line) for line in lines) <= width


def test_colour_is_only_there_when_asked_for(big_plan: Plan) -> None:
    assert "\x1b[" not in plan_text(big_plan)
    assert "\x1b[" in plan_text(big_plan, color=True)


def test_colour_changes_no_word(small_plan: Plan, resumed: RunRecord) -> None:
    import re

    coloured = re.sub(r"\x1b\[[0-9;]*m", "", run_text(small_plan, resumed, color=True))
    assert [line.rstrip() for line in coloured.splitlines()] == run_text(small_plan, resumed).splitlines()


def test_a_sample_cannot_drive_the_terminal(small_plan: Plan) -> None:
    text = run_text(build.hostile_plan(small_plan), build.hostile_run(small_plan))
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert "␛[31mred" in text
