"""FP8: what Megatron is told, and refusals in words on machines that would not train in it."""

import importlib.util
from pathlib import Path

import pytest
import torch
from megatron.core import utils as megatron_utils

from sixnd.runner.launch import check_machine, run_plan
from sixnd.runner.launchers.submission import rendered
from sixnd.runner.low_precision import check_low_precision
from sixnd.runner.model import dtype_of, transformer_config
from sixnd.runner.one_device import on_one_device
from sixnd.runner.trainable import check_trainable
from sixnd.runner.trainer import Trainer
from sixnd.specs.errors import SixndError
from sixnd.specs.plan import Plan
from tests.runner import alone, tiny
from tests.runner.cluster import launched, on_gpus


def planned(precision: str = "fp8") -> Plan:
    plan = tiny.plan(tiny.layout(micro_batch=tiny.BATCH), steps=6)
    recipe = "tensorwise" if precision == "fp8" else None
    changes = {"precision": precision, "fp8_recipe": recipe}
    return plan.model_copy(update={"training": plan.training.model_copy(update=changes)})


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine that has all that FP8 needs, as far as anyone asks."""
    found = importlib.util.find_spec
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: object() if name == "transformer_engine" else found(name)
    )
    monkeypatch.setattr(megatron_utils, "is_te_min_version", lambda version: version <= "2.8.0")
    monkeypatch.setattr(megatron_utils, "get_te_version", lambda: "2.1.0")
    return monkeypatch


def test_a_machine_with_all_of_it_is_taken(machine: pytest.MonkeyPatch) -> None:
    check_low_precision(planned())


def test_what_a_machine_lacks_is_named(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(megatron_utils, "is_te_min_version", lambda _version: False)
    with pytest.raises(SixndError, match=r"Transformer Engine here is 2\.1\.0, older than 2\.2\.0"):
        check_low_precision(planned())
    machine.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(SixndError, match="Transformer Engine, which has the products, is not installed"):
        check_low_precision(planned())
    machine.setattr(torch.cuda, "get_device_capability", lambda: (8, 0))
    with pytest.raises(SixndError, match=r"compute capability 8\.0, has no products in it: there are from 8\.9 on"):
        check_low_precision(planned())
    machine.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SixndError, match=r"no GPU here; run it where there is, or plan with training\.precision bf16"):
        check_low_precision(planned())
    check_low_precision(planned("bf16"))


def test_it_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(SixndError, match="the plan trains in FP8"):
        check_machine(planned())
    with pytest.raises(SixndError):
        run_plan(planned(), runs_dir=tmp_path, base_dir=tmp_path, progress=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("launcher", ["slurm", "torchrun"])
def test_a_machine_without_gpu_still_renders_a_cluster_s_job(launcher: str, tmp_path: Path) -> None:
    assert rendered(launched(on_gpus(planned())), tmp_path / "plan.yaml", launcher, tmp_path, tmp_path)


def test_only_fp4_is_never_trained() -> None:
    check_trainable(planned())
    with pytest.raises(SixndError, match=r"training\.precision is fp4"):
        check_trainable(planned("fp4"))


def test_a_plan_of_before_fp8_was_trained_names_no_recipe_and_is_to_be_made_anew() -> None:
    before = planned().training.model_copy(update={"fp8_recipe": None})
    with pytest.raises(SixndError, match="plan anew"):
        check_trainable(planned().model_copy(update={"training": before}))


def test_products_are_told_to_megatron_and_the_rest_stays_bf16() -> None:
    config = transformer_config(planned())
    assert (config.fp8, config.fp8_recipe, config.fp8_param) == ("hybrid", "tensorwise", False)
    assert config.bf16
    assert dtype_of(planned()) is config.params_dtype is torch.bfloat16
    assert transformer_config(planned("bf16")).fp8 is None


def test_one_device_samples_and_exports_in_bf16() -> None:
    assert on_one_device(planned()).training.precision == "bf16"
    assert on_one_device(planned("fp32")).training.precision == "fp32"


@pytest.mark.gpu
@pytest.mark.skipif(
    not torch.cuda.is_available() or importlib.util.find_spec("transformer_engine") is None,
    reason="no GPU with Transformer Engine here",
)
def test_it_trains_near_bf16(tmp_path: Path) -> None:
    check_low_precision(planned())

    def losses(precision: str) -> list[float]:
        plan = planned(precision)
        with alone.one_rank(tmp_path / precision):
            trainer, batch = Trainer(plan), alone.text(plan)
            return [alone.step(trainer, batch)[0] for _ in range(plan.training.steps)]

    low, plain = losses("fp8"), losses("bf16")
    assert low != plain, "the products were quantised"
    assert low == pytest.approx(plain, rel=0.02)
