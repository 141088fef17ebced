import os
from pathlib import Path

import pytest

from tests.benchmarks.cost_truth import report

SHARED = Path(os.environ.get("SIXND_SHARED", Path(__file__).parents[2].parent / "shared"))
TRUTH = SHARED / "truth" / "throughput.csv"


@pytest.mark.skipif(not TRUTH.exists(), reason="the published measurements are not beside this checkout")
def test_step_time_is_within_fifteen_per_cent_of_published_runs_on_average():
    found = report(TRUTH)
    assert found["dense_bf16"]["n"] > 100
    assert found["dense_bf16"]["mape"] < 15
    for name, group in found["groups"].items():
        assert group["mape"] < 20, name


@pytest.mark.skipif(not TRUTH.exists(), reason="the published measurements are not beside this checkout")
def test_every_refused_row_has_a_reason():
    found = report(TRUTH)
    rows = len(TRUTH.read_text(encoding="utf-8").splitlines()) - 1
    assert found["dense_bf16"]["n"] + sum(found["refused"].values()) <= rows
    assert "context parallelism is not modelled" in found["refused"]
