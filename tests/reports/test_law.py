"""Reports of fitted laws: the facts agree with the document, every rendering shows them."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion

from sixnd.reports.law_facts import law_facts
from sixnd.reports.law_lines import PUBLISHED, published_optimum
from sixnd.reports.law_tables import law_tables
from sixnd.reports.markdown import law_markdown
from sixnd.reports.terminal import law_text
from sixnd.specs import catalog
from sixnd.specs.law_document import LawDocument, Task
from sixnd.specs.laws import AllocationLaw, RepetitionConstants, SurfaceLaw
from tests.reports import law_build


@pytest.fixture(scope="module")
def law() -> LawDocument:
    return law_build.law()


@pytest.mark.parametrize("width", [80, 140])
def test_a_law_in_the_terminal(law: LawDocument, golden: SnapshotAssertion, width: int) -> None:
    assert law_text(law, (), width) == golden


def test_a_law_in_markdown(law: LawDocument, golden: SnapshotAssertion) -> None:
    assert re.sub(r"\b[0-9a-f]{64}\b", "<sha256>", law_markdown(law)) == golden


def test_a_law_of_five_runs_without_intervals_in_the_terminal(golden: SnapshotAssertion) -> None:
    assert law_text(law_build.bare_law()) == golden


@pytest.mark.parametrize("width", [60, 80, 97, 200])
def test_no_line_is_wider_than_the_terminal(law: LawDocument, width: int) -> None:
    assert max(cell_len(line) for line in law_text(law, (), width).splitlines()) <= width


def test_constants_are_the_document_s_and_lie_in_the_intervals_of_its_draws(law: LawDocument) -> None:
    facts, drawn = law_facts(law), np.array(law.law.draws)
    for key, column in (("A", np.exp(drawn[:, 0])), ("E", np.exp(drawn[:, 2])), ("beta", drawn[:, 4])):
        figure = facts.constant(key).figure
        assert figure.value == getattr(law.law, key)
        assert [figure.low, figure.high] == pytest.approx(np.quantile(column, [0.025, 0.975]).tolist())
    exponent = facts.constant("a").figure
    assert exponent.value == pytest.approx(law_build.BETA / (law_build.ALPHA + law_build.BETA))
    assert "L = 1.800 + 480/N^0.3500 + 2,100/D^0.3700 from 20 runs" in facts.verdict
    assert "30 of 31 starts agree" in facts.verdict


def test_only_budgets_beyond_the_runs_are_said_to_be_extrapolated(law: LawDocument) -> None:
    rows = law_facts(law).allocations
    assert [row.compute_flops for row in rows] == sorted(row.compute_flops for row in rows)
    for row in rows:
        beyond = row.compute_flops > law_build.BUDGETS[-1] * (1 + 1e-9)
        assert (row.where == "among runs") is not beyond
    assert rows[-1].where == "100× more"
    below = law_facts(law, [law.fit.frontier[0].model_copy(update={"C": 1e17})]).allocations
    assert [row.where for row in below] == ["10× less"]


def test_the_law_s_own_line_passes_through_what_a_search_finds_best(law: LawDocument) -> None:
    own = law_facts(law).lines[0]
    N, D, loss = law_build.optimum(law_build.BUDGETS[-1])
    assert (own.at_largest.params, own.at_largest.tokens) == pytest.approx((N, D), rel=1e-3)
    assert own.at_largest.loss == pytest.approx(loss, rel=1e-7)
    assert own.coefficient * 1e20**0.513888 == pytest.approx(law_build.optimum(1e20)[0], rel=1e-3)


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("compute", [1e18, 1e24])
def test_a_published_law_spends_its_budget_and_a_surface_is_lowest_there(name: str, compute: float) -> None:
    entry = catalog.law(name)
    found = published_optimum(entry, compute)
    assert 6 * found.params * found.tokens == pytest.approx(compute)
    if isinstance(entry, AllocationLaw):
        return
    for factor in (0.98, 1.02):
        N, D = found.params * factor, found.tokens / factor
        assert entry.E + entry.A / N**entry.alpha + entry.B / D**entry.beta > found.loss


def test_deepseek_s_tokens_are_those_its_paper_prints() -> None:
    found = published_optimum(catalog.law("deepseek-2024"), 1e21)
    assert found.tokens == pytest.approx(5.8316 * 1e21**0.4757, rel=2e-3)


def test_residuals_name_the_worst_run_first_and_say_what_is_an_outlier(law: LawDocument) -> None:
    facts = law_facts(law)
    tables = {table.key: table for table in law_tables(facts)}
    assert tables["residuals"].lines[0].cells[0] == f"runs.csv:{law_build.OUTLIER + 2}"
    assert [line.cells[-1] for line in tables["residuals"].lines].count("outlier") == 1
    run = facts.runs[law_build.OUTLIER]
    assert run.loss * (1 - run.residual) == pytest.approx(run.predicted)
    assert run.loss * (1 - run.left_out_error) == pytest.approx(run.left_out)
    assert [line.cells for line in tables["refused"].lines] == [
        ("runs.csv:22", "L is nan: a run that diverged or was not measured tells nothing")
    ]


def test_every_published_law_and_its_source_is_in_the_tables(law: LawDocument) -> None:
    text = law_markdown(law)
    for name in PUBLISHED:
        assert text.count(f"| {name} |") == 2
    assert text.count("arXiv:") >= len(PUBLISHED)


def test_facts_are_json_without_infinities(law: LawDocument) -> None:
    for document in (law, law_build.bare_law()):
        plain = law_facts(document).plain()
        assert json.loads(json.dumps(plain, allow_nan=False)) == plain


def test_repetition_and_a_task_s_curve_are_told_with_intervals(law: LawDocument) -> None:
    rates = np.linspace(0.9, 1.1, 201)
    task = Task(
        worst=0.85,
        scale=2.5,
        rate=1.0,
        residual_sd=0.01,
        loss_range=[2.2, 3.5],
        draws=[[0.85, 2.5, rate] for rate in rates.tolist()],
        notes=["Held against 20 runs of one task."],
    )
    repetition = RepetitionConstants(
        repeated_tokens=15.4, excess_params=5.3, repeated_tokens_interval=[9, 30], excess_params_interval=[2, 14]
    )
    facts = law_facts(law.model_copy(update={"task": task, "repetition": repetition}))
    assert facts.constant("repeated_tokens").figure.full == "15.4 (9–30)"
    assert facts.constant("task_rate").figure.interval == "0.905–1.095"
    assert "2.200–3.500 nats" in facts.constant("task_worst").reason
    assert "Held against 20 runs of one task." in facts.notes


def test_draws_of_a_law_that_its_runs_hardly_tell_are_reported_as_flat_as_a_law_can_be(law: LawDocument) -> None:
    draws = [[6.0, 8.0, 0.5, *exponents] for exponents in [(0.34, 0.37)] * 150 + [(-0.2, 0.1), (-1, -1)] * 5]
    spoilt = law.model_copy(update={"law": law.law.model_copy(update={"draws": draws})})
    facts = law_facts(spoilt)
    json.dumps(facts.plain(), allow_nan=False)
    assert facts.constant("alpha").figure.low == pytest.approx(0.001)


def test_no_rounded_law_is_held_against_a_fit() -> None:
    laws = [catalog.law(name) for name in PUBLISHED]
    assert not any(isinstance(entry, SurfaceLaw) and entry.rounded for entry in laws)


@given(st.floats(-3, 25), st.floats(0.05, 20), st.integers(4, 12))
def test_ticks_lie_on_the_axis_in_order_and_are_not_too_many(start: float, decades: float, most: int) -> None:
    from sixnd.reports.law_axes import log_ticks

    low, high = 10**start, 10 ** (start + decades)
    ticks = log_ticks(low, high, most)
    assert len(ticks) <= most
    assert ticks == sorted(set(ticks))
    assert all(low * 0.999 <= tick <= high * 1.001 for tick in ticks)
    assert decades < 1 or ticks
