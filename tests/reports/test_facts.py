import json
import math
import statistics

import pytest

from sixnd.reports.comparison import judge
from sixnd.reports.facts import plan_facts, run_facts
from sixnd.reports.law_curve import optimal_loss
from sixnd.specs import catalog
from sixnd.specs.plan import Plan
from sixnd.specs.record import DataPrepared, Launch, RunRecord, Step, Validation
from tests.reports import build
from tests.reports.build import Story, estimate


@pytest.mark.parametrize(
    ("actual", "status", "text"),
    [
        (100.0, "within", "within"),
        (88.0, "within", "within"),
        (112.0, "within", "within"),
        (112.1, "outside", "outside, above"),
        (87.9, "outside", "outside, below"),
        (math.nan, "outside", "outside, not a number"),
        (None, "not measured", "not measured"),
    ],
)
def test_an_actual_is_judged_by_the_planned_interval(actual: float | None, status: str, text: str) -> None:
    verdict = judge(estimate(100.0, "s", ""), actual)
    assert (verdict.status, verdict.text()) == (status, text)


def test_an_extrapolated_estimate_judges_nothing(resumed: RunRecord) -> None:
    plan = build.small_plan(extrapolated=True)
    row = run_facts(plan, resumed).row("loss")
    assert row.status == "beyond the law's range"
    assert row.actual is not None
    assert row.difference


def test_the_validation_loss_at_the_last_step_is_held_against_the_law(small_plan: Plan, resumed: RunRecord) -> None:
    row = run_facts(small_plan, resumed).row("loss")
    assert row.planned.value == small_plan.estimates.loss.value
    assert row.actual is not None
    assert row.actual.value == resumed.validations()[-1].loss


def test_counts_that_were_met_are_as_planned(small_plan: Plan, resumed: RunRecord) -> None:
    facts = run_facts(small_plan, resumed)
    assert {facts.row(key).status for key in ("tokens", "flops", "steps")} == {"as planned"}


def test_steps_repeated_after_a_resume_count_once_and_are_told(small_plan: Plan, resumed: RunRecord) -> None:
    facts = run_facts(small_plan, resumed)
    once = sum(step.step_time_s for step in resumed.steps())
    row = facts.row("train_time")
    assert row.actual is not None
    assert row.actual.value == pytest.approx(once)
    assert once < sum(step.step_time_s for step in resumed.of(Step))
    assert facts.row("steps").note == "30 steps more were repeated after a resume"
    assert facts.curve_of("loss").recorded == 400


def test_the_first_step_of_each_attempt_does_not_count_as_steady(small_plan: Plan, resumed: RunRecord) -> None:
    steady = [step.step_time_s for step in resumed.steps() if step.step not in (1, 201)]
    row = run_facts(small_plan, resumed).row("step_time")
    assert row.actual is not None
    assert row.actual.value == statistics.median(steady)


def test_wall_time_adds_the_attempts_and_leaves_the_pause_between_them_out(
    small_plan: Plan, resumed: RunRecord
) -> None:
    row = run_facts(small_plan, resumed).row("wall_time")
    assert row.actual is not None
    assert row.actual.value == 380 + 330


def test_energy_without_a_meter_is_not_measured_and_never_zero(small_plan: Plan, resumed: RunRecord) -> None:
    row = run_facts(small_plan, resumed).row("energy")
    assert (row.actual, row.status, row.difference) == (None, "not measured", "")


def test_money_and_hours_follow_from_wall_time(small_plan: Plan, resumed: RunRecord) -> None:
    facts = run_facts(small_plan, resumed)
    hours, money = facts.row("accelerator_hours").actual, facts.row("money").actual
    assert hours is not None
    assert money is not None
    assert hours.value == pytest.approx(710 * 8 / 3600)
    assert money.value == pytest.approx(710 * 8 / 3600 * small_plan.cluster.price_usd_per_accelerator_hour)


def test_the_gain_over_a_unigram_model_is_in_nats(small_plan: Plan, resumed: RunRecord) -> None:
    baseline = run_facts(small_plan, resumed).baseline
    assert baseline is not None
    assert baseline.gain is not None
    assert baseline.gain.value == pytest.approx(7.412 - resumed.validations()[-1].loss)


def test_a_loss_above_the_unigram_model_is_called_so(small_plan: Plan) -> None:
    story = Story(small_plan).launch(1, "2026-05-04T08:00:00Z").prepared().train(1, 1, 40)
    story.events.append(Validation(attempt=1, step=40, loss=8.0, tokens=65_536))
    assert "0.588 nats ABOVE a unigram model" in run_facts(small_plan, story.record()).verdict


def test_the_realised_mix_is_a_share_of_sequences(small_plan: Plan, resumed: RunRecord) -> None:
    shares = {source.name: source.realised for source in run_facts(small_plan, resumed).sources}
    assert {name: figure.text for name, figure in shares.items() if figure} == {
        "code": "50.2 %",
        "prose": "29.9 %",
        "scripture": "19.9 %",
    }


def test_attempts_tell_how_they_ended(small_plan: Plan, resumed: RunRecord) -> None:
    first, second = run_facts(small_plan, resumed).attempts
    assert (first.outcome, first.cause) == ("failed", "rank 3 was killed by signal 9 (exit code 6)")
    assert (second.resumed_from_step, second.last_step, second.outcome) == (200, 400, "finished")


def test_a_run_before_its_launch_has_a_report(small_plan: Plan) -> None:
    facts = run_facts(small_plan, RunRecord(events=[]))
    assert facts.state == "not started"
    assert {row.status for row in facts.rows} == {"not measured"}


def test_a_running_run_judges_its_speed_but_not_its_totals(small_plan: Plan) -> None:
    record = Story(small_plan).launch(1, "2026-05-04T08:00:00Z").prepared().train(1, 1, 90).record()
    facts = run_facts(small_plan, record)
    assert facts.state == "running"
    assert "no end in the record (90 of 400 steps)" in facts.state_text
    assert facts.row("step_time").status == "within"
    assert {facts.row(key).status for key in ("tokens", "flops", "steps", "train_time", "wall_time")} == {"so far"}
    assert (facts.row("loss").actual, facts.row("loss").status_text) == (None, "open until step 400")
    assert "of wall time so far, of a planned 10.4 min" in facts.verdict
    assert facts.row("loss").note.startswith("latest: ")


def test_a_failed_run_says_so_with_its_cause(small_plan: Plan) -> None:
    story = Story(small_plan).launch(1, "2026-05-04T08:00:00Z").prepared().train(1, 1, 50)
    record = story.end(1, "2026-05-04T08:02:00Z", "failed", "rank 3 was killed by signal 9", 6).record()
    facts = run_facts(small_plan, record)
    assert facts.state_text == "Failed after 50 of 400 steps: rank 3 was killed by signal 9."
    assert facts.row("steps").status == "so far"


def test_an_attempt_without_an_end_makes_wall_time_a_lower_bound(small_plan: Plan) -> None:
    story = Story(small_plan).launch(1, "2026-05-04T08:00:00Z").prepared().train(1, 1, 230)
    story.launch(2, "2026-05-04T08:10:00Z", resumed_from=200).train(2, 201, 400).finish()
    facts = run_facts(small_plan, story.end(2, "2026-05-04T08:13:00Z").record())
    row = facts.row("wall_time")
    assert row.actual is not None
    assert row.actual.text.startswith("≥ ")
    assert row.status != "within"
    assert facts.attempts[0].outcome == "killed"


def test_a_record_of_another_plan_is_flagged(small_plan: Plan, resumed: RunRecord) -> None:
    other = [e.model_copy(update={"fingerprint": "0" * 8}) if isinstance(e, Launch) else e for e in resumed.events]
    warnings = run_facts(small_plan, RunRecord(events=other)).warnings
    assert warnings[0].startswith("The record was made by another plan (fingerprint 00000000")


def test_held_out_text_that_the_training_text_repeats_is_warned_of(small_plan: Plan, resumed: RunRecord) -> None:
    def told(share: float | None) -> list[str]:
        events = [
            e.model_copy(
                update={"sources": [one.model_copy(update={"repeated_share": share}) for one in e.sources[:1]]}
            )
            if isinstance(e, DataPrepared)
            else e
            for e in resumed.events
        ]
        return [line for line in run_facts(small_plan, RunRecord(events=events)).warnings if "held-out text" in line]

    assert told(None) == told(0.09) == []
    (line,) = told(0.18)
    assert line.startswith(
        f"Of the held-out text of {small_plan.data.sources[0].name}, 18% stands in the training text"
    )


def test_facts_are_json_even_where_a_loss_is_no_number(small_plan: Plan, resumed: RunRecord) -> None:
    broken = [e.model_copy(update={"loss": math.nan}) if isinstance(e, Validation) else e for e in resumed.events]
    facts = run_facts(small_plan, RunRecord(events=broken))
    json.dumps(facts.plain(), allow_nan=False)
    assert facts.row("loss").status_text == "outside, not a number"
    assert facts.curve_of("validation_loss").values == [None] * 10


def test_a_long_run_is_thinned_in_its_facts(small_plan: Plan) -> None:
    plan = build.small_plan(steps=12_000)
    record = Story(plan).launch(1, "2026-05-04T08:00:00Z").train(1, 1, 12_000).record()
    loss = run_facts(plan, record).curve_of("loss")
    assert loss.recorded == 12_000
    assert len(loss.values) <= 2_000
    assert 233 in loss.steps


def test_a_plan_gives_every_key_number_a_reason_and_every_estimate_an_interval(big_plan: Plan) -> None:
    facts = plan_facts(big_plan)
    assert all(number.reason for number in facts.key_numbers)
    estimated = {"memory", "step_time", "tokens_per_s", "mfu", "train_time", "wall_time", "money", "energy", "loss"}
    assert all(facts.number(key).figure.interval for key in estimated)
    assert sum(number.hero for number in facts.key_numbers) == 5


def test_components_add_up_to_the_whole(big_plan: Plan) -> None:
    facts = plan_facts(big_plan)
    total = sum(part.figure.value or 0.0 for part in facts.memory)
    assert total == pytest.approx(big_plan.estimates.memory_bytes.value)


def test_the_laws_curve_is_the_best_loss_for_each_compute() -> None:
    law, C = catalog.law("besiroglu-2024"), 1e21
    best = optimal_loss(law, C)
    tried = [
        law.E + law.A / N**law.alpha + law.B / (C / 6 / N) ** law.beta for N in (10 ** (8 + i / 50) for i in range(150))
    ]
    assert best <= min(tried)
    assert best == pytest.approx(min(tried), rel=1e-4)


def test_a_plan_made_from_other_catalogs_is_not_drawn_on_todays_curve(big_plan: Plan) -> None:
    assert plan_facts(big_plan).curve.points
    assert not plan_facts(big_plan.model_copy(update={"catalog_sha256": "0" * 64})).curve.points
