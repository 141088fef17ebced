"""A plan and a run of two phases, in every report."""

import numpy as np
import pytest

from sixnd.planner.annealing import PhaseSteps, in_two_phases
from sixnd.reports.facts import plan_facts, run_facts
from sixnd.reports.html import plan_html, run_html
from sixnd.reports.markdown import plan_markdown, run_markdown
from sixnd.reports.terminal import plan_text, run_text
from sixnd.specs.plan import Plan
from sixnd.specs.record import Mix, PhaseMix, RunRecord
from tests.reports import build


@pytest.fixture
def plan() -> Plan:
    made, shares = build.small_plan(), np.array([0.2, 0.5, 0.3])
    main = np.array([source.weight for source in made.data.sources])
    steps = PhaseSteps(made.training.steps - 40, 40, made.training.batches, made.model.sequence_length)
    phases = in_two_phases(made.data.sources, main, shares, steps, repeat=False)
    return made.model_copy(update={"data": made.data.model_copy(update={"anneal": phases})})


@pytest.fixture
def record(plan: Plan, resumed: RunRecord) -> RunRecord:
    names = [source.name for source in plan.data.sources]
    drawn = [dict(zip(names, each, strict=True)) for each in ((5760, 3456, 2304), (257, 640, 383))]
    phases = [PhaseMix(name=name, sequences=each) for name, each in zip(("main", "annealing"), drawn, strict=True)]
    mix = Mix(sequences={name: sum(each[name] for each in drawn) for name in names}, phases=phases)
    return RunRecord(events=[event for event in resumed.events if not isinstance(event, Mix)] + [mix])


def test_the_phases_stand_in_every_report_of_a_plan(plan: Plan) -> None:
    for text in (plan_text(plan, 140), plan_markdown(plan), plan_html(plan)):
        assert "Phases of the data mix" in text
        assert "361 to 400" in text


def test_the_report_of_a_run_says_what_each_phase_drew(plan: Plan, record: RunRecord) -> None:
    rows = run_facts(plan, record).phases
    assert [row.phase for row in rows] == ["main"] * 3 + ["annealing"] * 3
    assert [row.sequences.value for row in rows[3:] if row.sequences] == [257, 640, 383]
    for text in (run_text(plan, record, 140), run_markdown(plan, record), run_html(plan, record)):
        assert "Realised shares of a phase differ from the planned ones by at most" in text


def test_a_plan_of_one_phase_has_no_table_of_phases(resumed: RunRecord) -> None:
    alone = build.small_plan()
    assert not plan_facts(alone).phases
    assert "Phases" not in plan_text(alone) + run_text(alone, resumed)
