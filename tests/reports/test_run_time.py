"""Where a run's time went, what stopped it, how far it is, and what was alarming."""

import pytest

from sixnd.reports.facts import run_facts
from sixnd.reports.html import run_html
from sixnd.reports.markdown import run_markdown
from sixnd.reports.run_documents import RunFacts, TimePart
from sixnd.reports.run_tables import run_tables
from sixnd.reports.tables import Table
from sixnd.reports.terminal import run_text
from sixnd.specs.checkpoint_events import CheckpointFailed
from sixnd.specs.plan import Plan
from sixnd.specs.record import Launch, RunRecord, Step, Validation
from sixnd.specs.run_events import Alarm, Paused, Started
from tests.reports import build
from tests.reports.build import Story


def timed(record: RunRecord, start_s: float = 12.0, validation_s: float = 2.0) -> RunRecord:
    """The record as a runner of today writes it: with the time of start-ups, validations and samples."""
    events: list[object] = []
    for event in record.events:
        changed = event.model_copy(update={"seconds": validation_s}) if isinstance(event, Validation) else event
        events.append(changed.model_copy(update={"seconds": 1.5}) if changed.kind == "sample" else changed)
        if isinstance(event, Launch):
            events.append(Started(attempt=event.attempt, step=event.resumed_from_step, seconds=start_s))
    return RunRecord(events=events)


def part(facts: RunFacts, key: str) -> TimePart | None:
    assert facts.time is not None
    return next((part for part in facts.time.parts if part.key == key), None)


def seconds(facts: RunFacts, key: str) -> float:
    found = part(facts, key)
    assert found is not None
    assert found.figure is not None
    assert found.figure.value is not None
    return found.figure.value


def table(facts: RunFacts, key: str, *, bars: bool = False) -> Table:
    return next(table for table in run_tables(facts, bars=bars) if table.key == key)


def test_the_parts_of_the_time_add_up_to_the_wall_time(small_plan: Plan, resumed: RunRecord) -> None:
    facts = run_facts(small_plan, timed(resumed))
    assert facts.time is not None
    told = [part.figure.value for part in facts.time.parts if part.figure is not None]
    assert sum(value for value in told if value is not None) == pytest.approx(380 + 330)
    assert facts.time.wall.value == 380 + 330


def test_goodput_is_steps_that_count_and_evaluations_over_wall_time(small_plan: Plan, resumed: RunRecord) -> None:
    facts = run_facts(small_plan, timed(resumed))
    counting = sum(step.step_time_s for step in resumed.steps())
    evaluating = 2.0 * len(resumed.of(Validation))
    assert seconds(facts, "counts") == pytest.approx(counting)
    assert seconds(facts, "start_up") == 24
    row = facts.row("goodput")
    assert row.actual is not None
    assert row.actual.value == pytest.approx((counting + evaluating) / 710)


def test_steps_that_were_done_twice_count_once_and_their_first_time_is_lost(
    small_plan: Plan, resumed: RunRecord
) -> None:
    facts = run_facts(small_plan, timed(resumed))
    first = [s.step_time_s for s in resumed.of(Step) if s.attempt == 1 and s.step > 200]
    assert seconds(facts, "repeated") == pytest.approx(sum(first))


def test_goodput_is_held_against_the_one_that_was_predicted(small_plan: Plan, resumed: RunRecord) -> None:
    estimates = small_plan.estimates.model_copy(update={"goodput": build.estimate(0.9, "share", "failures", 0.05)})
    row = run_facts(small_plan.model_copy(update={"estimates": estimates}), timed(resumed)).row("goodput")
    assert (row.planned.value, row.status) == (0.9, "within")


def test_what_a_record_does_not_tell_is_not_measured_and_never_zero(small_plan: Plan, resumed: RunRecord) -> None:
    facts = run_facts(small_plan, resumed)  # of before start-ups and validations told their time
    for key in ("start_up", "evaluations", "samples"):
        untold = part(facts, key)
        assert untold is not None
        assert (untold.figure, untold.share) == (None, None)
    cells = {line.cells[0]: line.cells[1] for line in table(facts, "time").lines}
    assert cells["Start-up to the first step"] == "not measured"
    assert facts.time is not None
    assert facts.time.goodput is not None
    assert facts.time.goodput.text.startswith("≥ ")


@pytest.mark.parametrize(
    "missing",
    [
        {"step"},
        {"validation"},
        {"checkpoint"},
        {"data"},
        {"mix", "sample"},
        {"end"},
        {"launch"},
        {"step", "validation"},
    ],
    ids=lambda missing: " and ".join(sorted(missing)),
)
def test_a_record_without_some_of_its_events_shows_no_zero_where_nothing_was_measured(
    small_plan: Plan, resumed: RunRecord, missing: set[str]
) -> None:
    facts = run_facts(small_plan, RunRecord(events=[e for e in resumed.events if e.kind not in missing]))
    for row in facts.rows:
        assert row.actual is None or row.actual.value != 0 or row.planned.value == 0, row.key
    assert all(row.actual is None for row in facts.rows if row.status == "not measured")
    if "step" in missing:
        assert facts.row("steps").actual is None
        assert facts.time is None or facts.time.goodput is None
    assert facts.row("energy").actual is None


def test_time_between_attempts_is_told_beside_the_wall_time(small_plan: Plan, resumed: RunRecord) -> None:
    facts = run_facts(small_plan, resumed)
    assert facts.time is not None
    assert facts.time.between is not None
    assert facts.time.between.value == 220


def test_where_the_time_went_is_in_every_format(small_plan: Plan, resumed: RunRecord) -> None:
    record = timed(resumed)
    page = run_html(small_plan, record)
    assert 'data-chart="time-chart"' in page
    assert "Where the time went" in page
    for text in (run_markdown(small_plan, record), run_text(small_plan, record)):
        assert "Where the time went" in text
        assert "█████" in text
    assert "█" not in page


def test_a_hang_is_counted_once(small_plan: Plan) -> None:
    story = Story(small_plan).launch(1, "2026-05-04T08:00:00Z").train(1, 1, 20)
    hang = {"attempt": 1, "rule": "hang", "value": 60.0, "threshold": 50.0, "action": "end", "message": "hung"}
    story.events.append(Alarm.model_validate(hang | {"step": 21}))
    story.end(1, "2026-05-04T08:02:00Z", "failed", "the run hung in step 21", 1)
    assert seconds(run_facts(small_plan, story.record()), "hung") == 60
    went_on = Story(small_plan).launch(1, "2026-05-04T08:00:00Z").train(1, 1, 20)
    went_on.events[-1] = went_on.events[-1].model_copy(update={"step_time_s": 60.5})
    went_on.events.append(Alarm.model_validate(hang | {"step": 20}))
    went_on.end(1, "2026-05-04T08:02:00Z", "failed", "the run hung in step 20", 1)
    assert part(run_facts(small_plan, went_on.record()), "hung") is None


@pytest.mark.parametrize(
    ("event", "status", "message", "cause"),
    [
        (None, "failed", "rank 3 was killed by SIGKILL after step 20.", "process killed"),
        (None, "failed", "rank 3 failed (exit code 1) after step 20.", "error in a process"),
        (None, "interrupted", "stopped by the user", "stopped by hand"),
        (None, "paused", "paused before the training processes were started", "asked to stop"),
        (Paused(attempt=1, step=20, reason="SIGTERM to `sixnd run`"), "paused", "", "asked to stop"),
        (Paused(attempt=1, step=20, reason="supervision.time_limit is near"), "paused", "", "limit of time"),
        (Paused(attempt=1, step=20, reason="9 s spent; raise supervision.budget_factor or the budget"), "paused", "",
         "limit of the budget"),
        (CheckpointFailed(attempt=1, step=20, reason="disk", ends_run=True), "failed", "",
         "checkpoint that could not be written"),
    ],
)  # fmt: skip
def test_a_stop_is_told_by_its_cause(small_plan: Plan, event: object, status: str, message: str, cause: str) -> None:
    story = Story(small_plan).launch(1, "2026-05-04T08:00:00Z").train(1, 1, 20)
    story.events += [] if event is None else [event]
    record = story.end(1, "2026-05-04T08:02:00Z", status, message, 1).record()
    (row,) = run_facts(small_plan, record).interruptions
    assert (row.cause, row.open, row.stood) == (cause, True, None)


def test_an_interruption_costs_its_repeated_steps_and_the_start_up_behind_it(
    small_plan: Plan, resumed: RunRecord
) -> None:
    (row,) = run_facts(small_plan, timed(resumed)).interruptions
    lost = sum(s.step_time_s for s in resumed.of(Step) if s.attempt == 1 and s.step > 200)
    assert (row.cause, row.attempts, row.steps) == ("process killed", [1], 30)
    assert row.lost.value == pytest.approx(lost + 12)
    assert row.stood is not None
    assert row.stood.value == 220


def test_a_finished_run_without_stops_has_no_interruptions(small_plan: Plan) -> None:
    story = Story(small_plan).launch(1, "2026-05-04T08:00:00Z").train(1, 1, 400)
    assert run_facts(small_plan, story.end(1, "2026-05-04T08:20:00Z").record()).interruptions == []


def test_a_run_that_is_going_tells_its_share_its_time_left_and_where_it_ends(small_plan: Plan) -> None:
    story = Story(small_plan).launch(1, "2026-05-04T08:00:00Z").prepared().train(1, 1, 100)
    facts = run_facts(small_plan, timed(story.record()))
    assert facts.progress is not None
    assert facts.progress.share.text == "25.0 %"
    assert facts.progress.left.value == pytest.approx(300 * 1.45, rel=0.05)
    assert "25.0 % of the tokens done, about " in facts.state_text
    row = facts.row("loss")
    assert (row.actual, row.status, row.status_text) == (None, "so far", "open until step 400")
    assert table(facts, "rows").lines[0].cells[2] == "not yet"
    assert facts.progress.rows[0].course == "open"  # its attempt has no end: a lower bound


def test_a_total_that_is_above_its_interval_already_is_told_so_while_the_run_goes(small_plan: Plan) -> None:
    story = Story(small_plan).launch(1, "2026-05-04T08:00:00Z").train(1, 1, 100)
    story.events = [e.model_copy(update={"step_time_s": 9.0}) if isinstance(e, Step) else e for e in story.events]
    progress = run_facts(small_plan, story.record()).progress
    assert progress is not None
    assert progress.rows[0].course == "outside, above"


def test_steps_that_took_no_time_by_their_record_have_nothing_left_to_wait_for(small_plan: Plan) -> None:
    story = Story(small_plan).launch(1, "2026-05-04T08:00:00Z").train(1, 1, 100)
    story.events = [e.model_copy(update={"step_time_s": 0.0}) if isinstance(e, Step) else e for e in story.events]
    progress = run_facts(small_plan, story.record()).progress
    assert progress is not None
    assert progress.left.value == 0


def test_a_run_that_was_resumed_and_goes_on_is_as_far_as_its_present_attempt(small_plan: Plan) -> None:
    story = Story(small_plan).launch(1, "2026-05-04T08:00:00Z").prepared().train(1, 1, 230)
    story.end(1, "2026-05-04T08:06:20Z", "failed", "rank 3 was killed by SIGKILL", 6)
    record = story.launch(2, "2026-05-04T08:10:00Z", resumed_from=200).train(2, 201, 210).record()
    facts = run_facts(small_plan, record)
    assert "(210 of 400 steps)" in facts.state_text
    assert facts.curve_of("loss").steps[-1] == 210
    tokens = facts.row("tokens").actual
    assert tokens is not None
    assert tokens.value == 210 * 32 * 256


def test_a_run_that_was_only_just_launched_has_measured_nothing(small_plan: Plan) -> None:
    facts = run_facts(small_plan, Story(small_plan).launch(1, "2026-05-04T08:00:00Z").record())
    assert {row.status_text for row in facts.rows} == {"not measured", "open until step 400"}
    assert facts.attempts[0].wall_time is not None
    assert facts.attempts[0].wall_time.full == "not measured"
    assert (facts.time, facts.progress) == (None, None)


def test_a_finished_run_has_no_progress(small_plan: Plan, resumed: RunRecord) -> None:
    assert run_facts(small_plan, resumed).progress is None


def test_the_log_dates_alarms_where_the_record_does(small_plan: Plan) -> None:
    alarm = {"attempt": 1, "step": 3, "rule": "loss-spike", "value": 9, "threshold": 3, "action": "skip", "message": ""}
    story = Story(small_plan).launch(1, "2026-05-04T08:00:00Z").train(1, 1, 3)
    story.events.append(Alarm.model_validate(alarm | {"time": "2026-05-04T08:00:21+00:00"}))
    story.events.append(Alarm.model_validate(alarm))
    lines = table(run_facts(small_plan, story.record()), "log").lines
    assert [line.cells[0] for line in lines] == ["2026-05-04 08:00:00 UTC", "2026-05-04 08:00:21 UTC", "–"]


def test_every_rendering_shows_a_run_that_is_going(small_plan: Plan) -> None:
    record = Story(small_plan).launch(1, "2026-05-04T08:00:00Z").prepared().train(1, 1, 90).record()
    for text in (run_markdown(small_plan, record), run_text(small_plan, record), run_html(small_plan, record)):
        assert "How far it is" in text
        assert "open until" in text
