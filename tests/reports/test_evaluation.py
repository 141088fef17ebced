"""Loss by source and tasks in reports, and the test that tells a jump from a threshold."""

import numpy as np
import pytest

from sixnd.reports.evaluation_charts import evaluation_charts, task_chart_keys
from sixnd.reports.evaluation_facts import evaluation_facts
from sixnd.reports.evaluation_link import chi_squared_95, fitted_shares, link_test
from sixnd.reports.html import run_html
from sixnd.reports.markdown import run_markdown
from sixnd.reports.terminal import run_text
from sixnd.specs.plan import Plan
from sixnd.specs.record import RunRecord
from tests.reports.evaluation_build import jump, smooth, with_evaluations


def test_a_threshold_on_a_steady_likelihood_is_told_from_a_jump(small_plan: Plan, resumed: RunRecord) -> None:
    threshold, jumped = (
        evaluation_facts(small_plan, with_evaluations(small_plan, resumed, share)).tasks[0] for share in (smooth, jump)
    )
    assert threshold.link.verdict == "follows"
    assert jumped.link.verdict == "does not follow"
    assert threshold.moved_at is not None
    assert threshold.left_chance_at is not None
    assert threshold.moved_at.value < threshold.left_chance_at.value


def test_counts_drawn_from_a_link_contradict_it_as_often_as_stated() -> None:
    generator = np.random.default_rng(11)
    nats = np.linspace(3, 0.5, 9)
    p = 0.25 + 0.75 / (1 + np.exp(-(4 - 3 * nats)))
    refuted = sum(
        link_test((generator.binomial(200, p) / 200).tolist(), nats.tolist(), 200, 0.25, left=True).verdict
        == "does not follow"
        for _ in range(400)
    )
    assert 0.02 < refuted / 400 < 0.09  # 5 % is meant


def test_a_fit_recovers_the_link_it_was_drawn_from() -> None:
    x = np.linspace(-1.5, 1.5, 12)
    truth = 0.1 + 0.9 / (1 + np.exp(-(0.4 + 2.5 * x)))
    assert fitted_shares(truth, x, 10_000, 0.1) == pytest.approx(truth, abs=1e-3)


def test_a_perfect_step_has_a_finite_fit() -> None:
    x = np.linspace(-1.5, 1.5, 10)
    found = fitted_shares((x > 0).astype(float), x, 200, 0.0)
    assert np.isfinite(found).all()
    assert found[0] < 0.01 < 0.99 < found[-1]


@pytest.mark.parametrize(
    ("shares", "nats", "left", "why"),
    [
        ([0.1, 0.2, 0.3], [3, 2, 1], True, "3 answerings are too few"),
        ([0.0] * 6, [6, 5, 4, 3, 2, 1], False, "has not left chance"),
        ([0.1, 0.2, 0.3, 0.4, 0.5], [1.0] * 5, True, "did not move"),
        ([0.1, 0.2, 0.3, 0.4, 0.5], [1, 2, 3, 4, float("nan")], True, "not finite"),
    ],
)
def test_what_cannot_be_tested_is_not_measured(shares: list[float], nats: list[float], left: bool, why: str) -> None:
    found = link_test(shares, nats, 200, 0.0, left=left)
    assert found.verdict == "not measured"
    assert why in found.text


@pytest.mark.parametrize(("degrees", "table"), [(3, 7.815), (5, 11.070), (10, 18.307), (30, 43.773)])
def test_chi_squareds_quantile_is_the_tables(degrees: int, table: float) -> None:
    assert chi_squared_95(degrees) == pytest.approx(table, rel=0.01)


def test_every_rendering_shows_sources_tasks_and_what_was_not_measured(small_plan: Plan, resumed: RunRecord) -> None:
    record = with_evaluations(small_plan, resumed)
    for shown in (run_markdown(small_plan, record), run_text(small_plan, record, 120), run_html(small_plan, record)):
        for part in ("Loss by source", "Bits per byte", "Downstream tasks", "Jumps and thresholds", "not measured"):
            assert part in shown
        assert "smooth link" in " ".join(shown.split())


def test_a_chart_stands_for_the_sources_and_a_pair_for_each_task(small_plan: Plan, resumed: RunRecord) -> None:
    facts = evaluation_facts(small_plan, with_evaluations(small_plan, resumed))
    keys = [chart.key for chart in evaluation_charts(facts)]
    assert keys == ["source-bits", *task_chart_keys(facts)]
    assert facts.unanswered == ["cloze"]


def test_a_run_without_evaluations_shows_none(small_plan: Plan, resumed: RunRecord) -> None:
    facts = evaluation_facts(small_plan, resumed)
    assert not facts.sources
    assert not facts.tasks
    assert "Downstream tasks" not in run_html(small_plan, resumed)


def test_a_source_measured_again_after_a_resume_counts_once(small_plan: Plan, resumed: RunRecord) -> None:
    record = with_evaluations(small_plan, resumed)
    twice = RunRecord(events=[*record.events, *record.source_losses(), *record.task_scores()])
    assert evaluation_facts(small_plan, twice) == evaluation_facts(small_plan, record)
