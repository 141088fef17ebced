"""Adapters train alike on every layout, and their checkpoints are resharded: real processes over gloo."""

import pytest

from sixnd.specs.plan import Plan
from tests.runner import tiny
from tests.runner.adapted import adapted
from tests.runner.conftest import Train, sources
from tests.runner.test_layout_parity import curve

pytestmark = pytest.mark.integration

STEPS, BRANCH = 6, 2
LAYOUTS = {
    "TP2": {"tensor": 2},
    "TP2 without sequence parallelism": {"tensor": 2, "sequence_parallel": False},
    "PP2": {"pipeline": 2, "recompute": "full"},
    "PP2-VPP3": {"pipeline": 2, "virtual_pipeline": 3, "embedding_as_layer": True},  # the ends hold no adapter
    "CP2-DP2": {"context": 2, "data": 2},
}


def plan(**degrees: object) -> Plan:
    found = tiny.plan(
        tiny.layout(**degrees), steps=STEPS, sources=sources(12), checkpoint_every=BRANCH, keep_last=9,
        learning_rate=1e-2,
    )  # fmt: skip
    return adapted(found)


def test_every_layout_goes_on_from_one_checkpoint_with_the_same_losses_and_gradient_norms(train: Train) -> None:
    path, record = train(plan(), "one")
    start = path / "checkpoints" / f"step_{BRANCH:08d}"
    expected = curve(record, BRANCH + 1)
    _, resumed = train(plan(), "resumed", start)
    assert curve(resumed, BRANCH + 1) == expected, "the same layout resumes to the very same numbers"
    for number, (name, degrees) in enumerate(LAYOUTS.items()):
        _, other = train(plan(**degrees), f"layout-{number}", start)
        for measure, values in curve(other, BRANCH + 1).items():
            assert values == pytest.approx(expected[measure], rel=1e-5), f"{name}: {measure}"


def test_initial_adapters_do_not_depend_on_the_layout(train: Train) -> None:
    _, alone = train(plan(), "alone")
    _, split = train(plan(tensor=2, pipeline=2), "split")
    for measure, values in curve(split).items():
        assert values == pytest.approx(curve(alone)[measure], rel=1e-5), measure
