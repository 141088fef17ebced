"""muP by coordinate check: what the planner writes and Megatron applies keeps activations flat in the width.

Activations of the real model are looked at after a few optimizer steps on the same batch, at widths 64 to 512 with one
learning rate, and their growth is told as the slope of ln(mean |x|) over ln(width) (Yang et al. 2022, appendix D.1).
"""

import functools
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from sixnd.planner.mup import planned_mup, standard_init_std
from sixnd.runner.trainer import Trainer
from sixnd.specs.budget import Shape, Training
from sixnd.specs.plan import Plan
from tests.runner import alone, tiny
from tests.runner.conftest import Train, sources

BASE, WIDTHS, STEPS, LEARNING_RATE = 64, (64, 128, 256, 512), 4, 1e-2
FLAT = 0.15
"""Slopes within this are flat: measured, muP's are within 0.1 and the standard parametrization's about 2."""
LOGITS_FALL = 0.3
"""Logits may fall by this slope: what is there of them before training vanishes as 1/√width by muP's design."""


def wide(width: int, *, mup: bool, heads: int | None = None, tied: bool = False, **changes: float) -> Plan:
    """The tiny model at another width; ``changes`` overrule muP's numbers, to see that each is needed.

    Heads grow in number, or with a number of ``heads`` in size.
    """
    plan = tiny.plan(
        tiny.layout(micro_batch=tiny.BATCH), steps=100, schedule="wsd", learning_rate=LEARNING_RATE, tied=tied
    )
    asked = Training(parametrization="mup", mup_base_width=BASE, mup_base_head_dim=16, learning_rate=LEARNING_RATE)
    heads = heads or width // 16
    head_dim = width // heads
    planned = planned_mup(asked, width, head_dim) if mup else None
    shape = Shape(layers=2, hidden=width, heads=heads, kv_heads=heads // 2, ffn=2 * width)
    training = plan.training.model_copy(
        update={
            "warmup_steps": 0,
            "init_std": standard_init_std(width),
            "mup": planned and planned.model_copy(update=changes),
        }
    )
    model = plan.model.model_copy(update={"shape": shape, "head_dim": head_dim})
    return plan.model_copy(update={"model": model, "training": training})


def activations(trainer: Trainer, batch: alone.Batch) -> dict[str, torch.Tensor]:
    """What each layer and the head put out."""
    seen: dict[str, torch.Tensor] = {}

    def keep(name, _module, _inputs, output):
        seen[name] = (output[0] if isinstance(output, tuple) else output).detach().clone()

    model = trainer.chunks[0].module
    watched = {f"layer {i}": layer for i, layer in enumerate(model.decoder.layers)} | {"logits": model.output_layer}
    hooks = [module.register_forward_hook(functools.partial(keep, name)) for name, module in watched.items()]
    with torch.no_grad():
        model(batch["tokens"], batch["position_ids"], None, labels=batch["labels"])
    for hook in hooks:
        hook.remove()
    return seen


def trained(plan: Plan, folder: Path) -> dict[str, float]:
    """Mean |x| of each layer's output and of its change by training; and the loss of the last step."""
    with alone.one_rank(folder):
        trainer, batch = Trainer(plan), alone.text(plan)
        before = activations(trainer, batch)
        losses = [alone.step(trainer, batch)[0] for _ in range(STEPS)]
        after = activations(trainer, batch)
    size = {name: float(after[name].abs().mean()) for name in after}
    change = {f"change of {name}": float((after[name] - before[name]).abs().mean()) for name in after}
    return size | change | {"loss": losses[-1]}


def coordinate_check(folder: Path, **options) -> dict[str, list[float]]:
    """Measures by width."""
    found = [trained(wide(width, **options), folder / str(width)) for width in WIDTHS]
    return {name: [at[name] for at in found] for name in found[0]}


def slopes(measures: dict[str, list[float]]) -> dict[str, float]:
    return {name: float(np.polyfit(np.log(WIDTHS), np.log(values), 1)[0]) for name, values in measures.items()}


@pytest.mark.parametrize(
    "options", [{}, {"tied": True}, {"heads": 4}], ids=["more heads", "tied embeddings", "larger heads"]
)
def test_under_mup_activations_are_flat_in_width_and_wider_is_better(options, tmp_path):
    measures = coordinate_check(tmp_path, mup=True, **options)
    for name, slope in slopes(measures).items():
        if name != "loss":
            assert -(LOGITS_FALL if "logits" in name else FLAT) < slope < FLAT, (name, measures[name])
    assert measures["loss"] == sorted(measures["loss"], reverse=True)


def test_under_the_standard_parametrization_they_grow_with_width(tmp_path):
    found = slopes(coordinate_check(tmp_path, mup=False))
    for name in ("layer 0", "layer 1", "change of layer 0", "change of layer 1"):
        assert found[name] > 1, name
    assert found["logits"] > 2 * FLAT
    assert found["change of logits"] > 2 * FLAT


@pytest.mark.parametrize(
    ("rule", "grows"),
    [("hidden_lr_multiplier", "change of layer 1"), ("logit_multiplier", "change of logits")],
)
def test_without_one_of_its_rules_mup_is_not_flat(rule, grows, tmp_path):
    found = slopes(coordinate_check(tmp_path, mup=True, **{rule: 1.0}))
    assert found[grows] > 2 * FLAT


def test_at_the_base_width_mup_is_the_standard_parametrization(tmp_path):
    standard = trained(wide(BASE, mup=False), tmp_path / "standard")
    assert trained(wide(BASE, mup=True), tmp_path / "mup") == pytest.approx(standard, rel=1e-5)


def test_the_first_step_moves_hidden_matrices_by_their_own_learning_rate_and_the_rest_by_the_planned_one(tmp_path):
    plan = wide(256, mup=True)
    with alone.one_rank(tmp_path / "one"):
        trainer = Trainer(plan)
        named = dict(trainer.chunks[0].module.named_parameters())
        before = {name: value.detach().clone() for name, value in named.items()}
        *_, told = alone.step(trainer, alone.text(plan))
        mup, decay = plan.training.mup, plan.training.weight_decay
        for name, value in named.items():
            hidden = ".layers." in name and value.dim() == 2
            rate = LEARNING_RATE * (mup.hidden_lr_multiplier if hidden else 1)
            shrunk = 1 - LEARNING_RATE * decay if value.dim() == 2 else 1  # the same for hidden matrices: 1/4 · 4
            moved = (value.detach() - before[name] * shrunk).abs()
            # Adam's first step is its learning rate wherever the gradient is not lost beside ε
            assert float(moved.max()) == pytest.approx(rate, rel=1e-3), name
    assert told == pytest.approx(LEARNING_RATE)


def test_embedding_and_head_start_as_at_the_base_width(tmp_path):
    plan = wide(512, mup=True)
    with alone.one_rank(tmp_path / "one"):
        named = dict(Trainer(plan).chunks[0].module.named_parameters())
        stds = {name: float(value.detach().std()) for name, value in named.items() if value.dim() == 2}
    residual = math.sqrt(2 * plan.model.shape.layers)
    for name, std in stds.items():
        expected = standard_init_std(512 if "layers" in name else BASE)
        expected /= residual if name.endswith(("linear_proj.weight", "linear_fc2.weight")) else 1
        assert std == pytest.approx(expected, rel=0.02), name


@pytest.mark.integration
def test_mup_trains_and_resumes_alike_on_another_layout(train: Train) -> None:
    def plan(**degrees: int) -> Plan:
        made = tiny.plan(tiny.layout(**degrees), steps=4, sources=sources(12), checkpoint_every=2, keep_last=9)
        asked = Training(parametrization="mup", mup_base_width=16, learning_rate=made.training.learning_rate)
        training = made.training.model_copy(update={"mup": planned_mup(asked, 64, 16)})
        return made.model_copy(update={"training": training})

    path, alone_record = train(plan(), "one")
    start = path / "checkpoints" / "step_00000002"
    _, split = train(plan(pipeline=4), "split", start)  # two of the four stages hold hidden matrices and norms only
    expected = [step.loss for step in alone_record.steps() if step.step > 2]
    assert [step.loss for step in split.steps()] == pytest.approx(expected, rel=1e-5)
    assert alone_record.steps()[1].learning_rate == pytest.approx(1e-3)
