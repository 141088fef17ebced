"""The proof's page says of each claim what came of it, and is that of its results."""

import json
import math
from typing import Any

import pytest

from tests.benchmarks import proof_page
from tests.benchmarks.marks import between
from tests.benchmarks.proof_page import BEGIN, END, claims, page, readme_head

RESULTS = json.loads((proof_page.DOCS / "results.json").read_text("utf-8"))


def _held(found: dict[str, Any]) -> dict[str, bool]:
    return {what: held for what, _, _, held in claims(found)}


@pytest.fixture
def found() -> dict[str, Any]:
    size = {"seed": 1, "params": 1, "tokens": 1}
    losses = [("planned", 3.00), ("planned", 3.02), ("planned", 3.01), ("half", 3.10), ("double", 3.10)]
    return {
        "predicted_loss": 3.0,
        "interval95": [2.9, 3.1],
        "actual_loss": 3.05,
        "predicted_wall_s": 1000.0,
        "actual_wall_s": 1100.0,
        "predicted_memory_bytes": 5e8,
        "actual_memory_bytes": 5e8,
        "sizes": [size | {"size": name, "actual_loss": loss} for name, loss in losses],
    }


def test_every_claim_that_came_true_is_said_to_hold(found: dict[str, Any]) -> None:
    assert all(_held(found).values())


@pytest.mark.parametrize(
    ("changed", "fails"),
    [
        ({"actual_loss": 3.07}, "loss within 2% of the prediction"),
        ({"actual_loss": 2.89, "predicted_loss": 2.89}, "loss inside the 95 % interval"),
        ({"actual_wall_s": 1201.0}, "wall time within 20%"),
        ({"actual_wall_s": 799.0}, "wall time within 20%"),
        ({"actual_memory_bytes": 5.8e8}, "peak memory within 15%"),
    ],
)
def test_a_claim_that_failed_is_said_to_have_failed(found: dict[str, Any], changed: dict[str, Any], fails: str) -> None:
    assert [what for what, held in _held(found | changed).items() if not held] == [fails]


def test_another_size_is_better_only_by_more_than_the_noise(found: dict[str, Any]) -> None:
    name = list(_held(found))[-1]
    half = found["sizes"][3]
    half["actual_loss"] = 3.01 - 0.0199  # twice the seeds' standard deviation is 0.02, half a per cent 0.015
    assert _held(found)[name]
    half["actual_loss"] = 3.01 - 0.0201
    assert not _held(found)[name]


def test_the_page_and_the_head_of_the_readme_are_those_of_the_results() -> None:
    assert (proof_page.DOCS / "README.md").read_text("utf-8") == page(RESULTS)
    text = proof_page.README.read_text("utf-8")
    assert between(text, BEGIN, END, readme_head(RESULTS)) == text


def test_the_results_say_what_was_predicted_of_which_plan_and_what_came() -> None:
    for run in (RESULTS, *RESULTS["sizes"]):
        assert len(run["plan_sha256"]) == 64
        assert run["interval95"][0] < run["predicted_loss"] < run["interval95"][1]
        figures = [run[f"{when}_{name}"] for when in ("predicted", "actual") for name in ("loss", "wall_s")]
        assert all(math.isfinite(figure) and figure > 0 for figure in figures)
    assert RESULTS["target_flops"] >= 8 * RESULTS["ladder_max_flops"]
    assert RESULTS["published"]["summary"]
