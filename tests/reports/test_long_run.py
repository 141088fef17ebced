"""The report of a very long run: small, quick to open, and no spike lost. Of a million steps: `-m integration`."""

import json
import re
from pathlib import Path

import pytest

from sixnd.reporting import read_run
from sixnd.reports.facts import run_facts
from sixnd.reports.html import run_html
from sixnd.reports.run_documents import RunFacts
from sixnd.specs.record import Step, event_line
from tests.reports.long_run import (
    FAILED_AT,
    GRADIENT_SPIKES,
    LOSS_SPIKES,
    NOT_A_NUMBER,
    RESUMED_FROM,
    STEPS,
    at,
    write_long_run,
)
from tests.reports.opening import BROWSER, opening_s

_SHORT = 6_000
_LARGEST_MB, _LONGEST_S, _TRIES = 4.0, 3.0, 8


def assert_spikes_are_drawn(facts: RunFacts, steps: int) -> None:
    loss, norm = facts.curve_of("loss"), facts.curve_of("grad_norm")
    value = dict(zip(loss.steps, loss.values, strict=True))
    for share in LOSS_SPIKES:
        found = value[at(share, steps)]
        assert found is not None
        assert found > 13
    assert value[at(NOT_A_NUMBER, steps)] is None
    assert {at(share, steps) for share in GRADIENT_SPIKES} <= set(norm.steps)
    assert loss.recorded == steps


def drawn_steps(page: str, chart: str) -> set[int]:
    data = re.search(r'id="chart-data">(.*?)</script>', page, re.DOTALL)
    assert data is not None
    layers = json.loads(data[1])[chart]["layer"]
    return {row["step"] for layer in layers for row in layer.get("data", {}).get("values", []) if "step" in row}


def test_one_step_spikes_of_a_long_run_are_among_the_drawn_points(tmp_path: Path) -> None:
    write_long_run(tmp_path, _SHORT)
    plan, record = read_run(tmp_path)
    facts, page = run_facts(plan, record), run_html(plan, record)
    assert_spikes_are_drawn(facts, _SHORT)
    assert {at(share, _SHORT) for share in LOSS_SPIKES} <= drawn_steps(page, "losses")
    assert {at(share, _SHORT) for share in GRADIENT_SPIKES} <= drawn_steps(page, "grad_norm")
    lost = at(FAILED_AT, _SHORT) - at(RESUMED_FROM, _SHORT)
    assert [row.steps for row in facts.interruptions] == [lost]


def test_the_long_run_s_lines_are_those_that_a_runner_writes(tmp_path: Path) -> None:
    write_long_run(tmp_path, 40)
    lines = (tmp_path / "record.jsonl").read_text("utf-8").splitlines(keepends=True)
    _plan, record = read_run(tmp_path)
    steps = [line for line in lines if '"kind": "step"' in line]
    assert steps == [event_line(step) for step in record.of(Step)]


@pytest.mark.integration
def test_a_report_of_a_million_steps_is_at_most_4_mb_and_opens_in_3_s(tmp_path: Path) -> None:
    write_long_run(tmp_path)
    plan, record = read_run(tmp_path)
    assert_spikes_are_drawn(run_facts(plan, record), STEPS)
    page = run_html(plan, record)
    assert len(page.encode()) <= _LARGEST_MB * 1e6
    if BROWSER is None:
        pytest.skip("no Chromium to open it")
    # The quickest of a few: where others are at work, the short report of a small run takes longer than this one alone.
    assert any(opening_s(page, tmp_path) < _LONGEST_S for _ in range(_TRIES))
