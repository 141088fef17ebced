"""The same training on every layout: real Megatron-core, real processes over gloo."""

import pytest

from sixnd.specs.record import RunRecord
from tests.runner import tiny
from tests.runner.conftest import Train, sources

STEPS, BRANCH = 7, 2
LAYOUTS = {
    "TP2": {"tensor": 2},
    "PP2": {"pipeline": 2, "recompute": "full", "recompute_layers": 1},
    "DP2": {"data": 2, "micro_batch": 2},
    "TP2-PP2-DP2": {"tensor": 2, "pipeline": 2, "data": 2},
    "PP2-VPP3": {
        "pipeline": 2,
        "virtual_pipeline": 3,
        "embedding_as_layer": True,
    },  # first and last chunk hold no layer
    "CP2": {"context": 2},
    "TP2-CP2": {"tensor": 2, "context": 2, "recompute": "selective", "recompute_modules": ["mlp"]},
}


def curve(record: RunRecord, first: int = 1) -> dict[str, list[float]]:
    steps = [step for step in record.steps() if step.step >= first]
    return {"loss": [s.loss for s in steps], "grad_norm": [s.grad_norm for s in steps]}


def test_every_layout_continues_one_checkpoint_with_the_same_losses_and_gradient_norms(train: Train) -> None:
    def plan(**degrees: object) -> object:
        return tiny.plan(tiny.layout(**degrees), steps=STEPS, sources=sources(12), checkpoint_every=BRANCH, keep_last=9)

    path, record = train(plan(), "one")
    start = path / "checkpoints" / f"step_{BRANCH:08d}"
    expected = curve(record, BRANCH + 1)
    assert len(expected["loss"]) == STEPS - BRANCH

    _, resumed = train(plan(), "resumed", start)
    assert curve(resumed, BRANCH + 1) == expected, "the same layout resumes to the very same numbers"

    for name, degrees in LAYOUTS.items():
        _, other = train(plan(**degrees), name, start)
        for measure, values in curve(other, BRANCH + 1).items():
            assert values == pytest.approx(expected[measure], rel=1e-5), f"{name}: {measure}"


def test_initial_weights_do_not_depend_on_the_layout_with_tied_embeddings_too(train: Train) -> None:
    def plan(**degrees: object) -> object:
        return tiny.plan(tiny.layout(**degrees), steps=2, sources=sources(12), tied=True)

    _, alone = train(plan(), "alone")
    _, split = train(plan(tensor=2, pipeline=2), "split")
    for measure, values in curve(split).items():
        assert values == pytest.approx(curve(alone)[measure], rel=1e-5), measure
