import contextlib
import csv
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks import layout_ranking
from tests.benchmarks.cost_truth import ALIKE, APART, Judged, Truth, calibrated, general, report, summary, truth, unfair
from tests.benchmarks.layout_ranking import judged_sweep, spearman
from tests.benchmarks.step_rows import NUMBERS, RefusedError
from tests.planner.shared_data import shared


def row(predicted, measured, source="a", error=0.2, **more):
    known = {"source": source, "arch": "dense", "precision": "BF16", "gpu": "A100", "task": "pretrain"}
    return Judged(known | more, predicted, measured, error)


def test_step_time_is_near_published_runs_on_average():
    found = report(truth(shared("truth/throughput.csv")))["overall"]
    assert found["dense"]["n"] > 280
    assert found["dense"]["mape"] < 6.5
    assert found["moe"]["n"] > 50
    assert found["moe"]["mape"] < 15


def test_few_usable_rows_are_refused():
    found = truth(shared("truth/throughput.csv"))
    assert len(found.refused) < 0.05 * (len(found.judged) + len(found.refused))


def test_every_row_is_judged_refused_with_a_reason_or_left_out():
    file = shared("truth/throughput.csv")
    found = truth(file)
    rows = len(file.read_text(encoding="utf-8").splitlines()) - 1
    assert len(found.judged) + len(found.refused) + sum(found.left_out.values()) == rows
    assert all(one["row_id"] and one["reason"] for one in found.refused)


def test_the_ranking_of_layouts_follows_measured_sweeps():
    found = layout_ranking.report(truth(shared("truth/layout_sweeps_a100.csv")))
    assert found["overall"]["n"] > 20
    assert found["overall"]["spearman"] > 0.85
    assert found["overall"]["regret"] < 5
    assert all(one["regret"] >= 0 for one in found["sweeps"].values())


def test_one_row_of_a_source_takes_part_of_its_factor_away():
    rows = [row(1.0, 2.0), row(3.0, 6.0), row(5.0, 5.0, "b"), row(1.0, 1.5, "b")]
    found = calibrated(rows)
    assert [one.row["source"] for one in found] == ["a", "b"]
    assert [one.predicted_s for one in found] == pytest.approx([3 * 2**ALIKE, 1.0])


def test_a_row_tells_less_of_other_accelerators_and_nothing_of_experts():
    rows = [row(1.0, 2.0), row(3.0, 6.0, gpu="H100-SXM"), row(3.0, 6.0, precision="FP8"), row(3.0, 6.0, arch="moe")]
    found = [one.predicted_s for one in calibrated(rows)]
    assert found == pytest.approx([3 * 2**APART, 3 * 2**APART, 3])


def test_the_interval_is_by_ratio_to_both_sides():
    found = summary([row(1.2, 1.0), row(1.0, 1.2), row(1.21, 1.0), row(1.0, 1.21)])
    assert found["coverage80"] == 50


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=8, unique=True))
def test_spearman_sees_the_order_alone(values):
    assert spearman(values, [math.log(v) for v in values]) == pytest.approx(1)
    assert spearman(values, [-v for v in values]) == pytest.approx(-1)


def test_ties_share_their_rank():
    assert spearman([1, 1, 2], [1, 2, 3]) == pytest.approx(math.sqrt(3) / 2)


def test_regret_is_what_the_first_choice_lost():
    found = judged_sweep([row(1.0, 1.1), row(2.0, 1.0), row(3.0, 2.0)])
    assert found == {"layouts": 3, "spearman": 0.5, "regret": 10.0}


def test_small_sweeps_are_counted_apart():
    one = dict.fromkeys(layout_ranking.SAME, "x")
    found = layout_ranking.report(Truth([Judged(one, float(i), float(i), 0.2) for i in (1, 2)]))
    assert found["overall"] == {"n": 0}
    assert found["too_small_sweeps"] == 1


@pytest.mark.parametrize("cell", ["", "0", "-1", "nan", "abc", "inf", "7.5"])
def test_a_cell_that_cannot_be_is_a_reason_to_refuse_and_no_crash(cell):
    with shared("truth/throughput.csv").open(newline="", encoding="utf-8") as file:
        good = next(one for one in csv.DictReader(file) if not unfair(one) and one["arch"] == "moe")
    for column in (*NUMBERS, "iter_time_s", "gpu", "arch"):
        with contextlib.suppress(RefusedError):
            assert 0 < general(good | {column: cell}).predicted_s < math.inf
