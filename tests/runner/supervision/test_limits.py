"""Budgets and clocks: pure functions of the plan, the record and the time."""

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixnd.runner.supervision.limits import Deadline, Meter, deadline, limits, passed, spent_so_far
from sixnd.specs.plan import Plan
from sixnd.specs.record import End, Launch, RunRecord
from tests.runner import tiny
from tests.specs.test_record import step


def plan(budget: dict[str, float] | None = None, **rules: object) -> Plan:
    made = tiny.plan()
    spec = made.spec.model_copy(
        update={
            "budget": made.spec.budget.model_copy(update={"compute": None} | (budget or {})),
            "supervision": made.spec.supervision.model_copy(update=rules),
        }
    )
    return made.model_copy(update={"spec": spec})


def launched() -> Launch:
    return Launch(
        attempt=1,
        time="2026-11-25T00:00:00+00:00",
        fingerprint="0123abcd",
        plan_sha256="0" * 64,
        layout="TP1 PP1 DP1 MBS1",
        world_size=1,
        host="node0",
        device="cpu",
        cpu_count=2,
        versions={},
        git_commit=None,
        seed=1234,
        command="sixnd run plan.yaml",
        resumed_from_step=0,
    )


def test_what_the_spec_gives_pauses_and_what_is_estimated_only_warns() -> None:
    found = {limit.currency: limit for limit in limits(plan({"money": 100.0}))}
    assert found["money_usd"].most == pytest.approx(120)
    assert found["money_usd"].pauses
    assert found["time_s"].most == pytest.approx(2.4), "1.2 times the upper end of the estimate"
    assert not found["time_s"].pauses
    assert "flops" not in found, "neither given nor estimated apart from the steps themselves"


def test_without_a_factor_nothing_is_limited() -> None:
    assert limits(plan({"money": 100.0}, budget_factor=None)) == []


@given(st.floats(0, 1e6))
def test_a_limit_is_passed_above_it_alone_and_one_that_pauses_comes_first(hours: float) -> None:
    made = plan({"accelerator_hours": 10.0})
    spent = Meter(made, hours * 3600, 0).spent(1, 1, 0, 0.0)
    over = passed(limits(made), spent)
    assert any(limit.currency == "accelerator_hours" for limit in over) == (spent.accelerator_hours > 12.0)
    assert [limit.pauses for limit in over] == sorted((limit.pauses for limit in over), reverse=True)


def test_repeated_steps_are_spent_twice_and_money_is_hours_at_the_price() -> None:
    made = plan()
    ended = End(attempt=1, time="2026-11-25T01:00:00+00:00", status="failed", message="", step=2, exit_code=1)
    record = RunRecord(events=[launched(), step(1), step(2), ended, step(2, attempt=2)])
    spent = spent_so_far(made, record)
    assert spent.time_s == 3600
    assert spent.flops == 3 * 6 * made.model.active_params * tiny.BATCH * tiny.LENGTH
    price = Meter(made, 0, 0).price
    assert spent.money_usd == pytest.approx(spent.accelerator_hours * price)


def test_an_attempt_that_left_no_end_counts_by_its_steps() -> None:
    record = RunRecord(events=[launched(), step(1), step(2)])
    assert spent_so_far(plan(), record).time_s == step(1).step_time_s + step(2).step_time_s


def test_the_earlier_of_the_specs_limit_and_slurms_end_counts() -> None:
    assert deadline(plan(), 0.0, {}) is None
    assert deadline(plan(time_limit=100.0), 50.0, {}) == Deadline(150.0, 50.0, "supervision.time_limit is near")
    found = deadline(plan(time_limit=100.0), 50.0, {"SLURM_JOB_END_TIME": "120"})
    assert found == Deadline(120.0, 50.0, "the end of the Slurm job is near")
    assert deadline(plan(), 0.0, {"SLURM_JOB_END_TIME": "Unknown"}) is None


def fake_scontrol(folder: Path, end: str) -> None:
    """A `scontrol` that knows one job."""
    script = folder / "scontrol"
    lines = [
        "#!/bin/sh",
        '[ "$*" = "show job 4711" ] && [ "$SLURM_TIME_FORMAT" = standard ] || exit 1',
        'echo "   RunTime=00:01:00 TimeLimit=01:00:00"',
        f'echo "   StartTime=2026-11-27T09:00:00 EndTime={end} Deadline=N/A"',
    ]
    script.write_text("\n".join(lines) + "\n")
    script.chmod(0o755)


def test_slurm_is_asked_for_the_end_of_the_job_where_no_variable_tells_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = {"SLURM_JOB_ID": "4711"}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert deadline(plan(), 0.0, job) is None, "there is no scontrol"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    fake_scontrol(tmp_path, "2026-11-27T10:00:00")
    found = deadline(plan(), 0.0, job)
    assert found is not None
    assert datetime.fromtimestamp(found.at).isoformat() == "2026-11-27T10:00:00"
    assert found.why == "the end of the Slurm job is near"
    assert deadline(plan(), 0.0, {"SLURM_JOB_ID": "4712"}) is None
    assert deadline(plan(), 0.0, {"SLURM_JOB_ID": "4711; touch here"}) is None
    told = deadline(plan(), 0.0, job | {"SLURM_JOB_END_TIME": "1000"})
    assert told is not None
    assert told.at == 1000
    fake_scontrol(tmp_path, "Unknown")
    assert deadline(plan(), 0.0, job) is None


@given(st.floats(0, 100), st.floats(0, 100), st.floats(60, 1e6))
def test_there_is_always_time_for_the_step_and_two_checkpoints(step_s: float, save_s: float, length: float) -> None:
    due = Deadline(length, 0.0, "")
    latest = length - (2 * save_s + 3 * step_s)
    assert due.is_due(latest, step_s, save_s)
    assert not due.is_due(latest - max(120.0, length), step_s, save_s)
