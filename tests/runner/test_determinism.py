"""What asks for the same bits each time reaches the processes that train, and nothing is set where nobody asks."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from sixnd.runner.determinism import VARIABLES, keep_to_deterministic_kernels
from sixnd.runner.export.to_megatron_lm import megatron_lm
from sixnd.runner.export.to_nemo import nemo
from sixnd.runner.job import Job, JobFolder, training_environment
from sixnd.runner.trainer import Trainer
from sixnd.specs.plan import Plan
from tests.runner import alone, tiny
from tests.runner.cluster import on_gpus


def planned(deterministic: bool = True) -> Plan:
    plan = tiny.plan(tiny.layout(micro_batch=tiny.BATCH), steps=6)
    return plan.model_copy(update={"training": plan.training.model_copy(update={"deterministic": deterministic})})


@pytest.fixture
def kept() -> Iterator[None]:
    """What PyTorch is asked for in this process is taken back."""
    keep_to_deterministic_kernels(planned())
    yield
    torch.use_deterministic_algorithms(False)


def test_variables_are_set_for_gpus_and_only_there() -> None:
    assert training_environment(on_gpus(planned()), 1).items() >= VARIABLES.items()
    assert not VARIABLES.keys() & training_environment(planned(), 1).keys()
    assert not VARIABLES.keys() & training_environment(on_gpus(planned(deterministic=False)), 1).keys()


def test_the_script_that_starts_the_run_by_hand_sets_them(tmp_path: Path) -> None:
    plan, folder = on_gpus(planned()), JobFolder(tmp_path / "run")
    folder.create(plan)
    environment = training_environment(plan, 1)
    folder.write_job(
        Job(processes=1, threads_per_process=1, tokenizer="t", sources=[], command=["true"], environment=environment)
    )
    script = (folder.path / "launch.sh").read_text()
    assert "export CUBLAS_WORKSPACE_CONFIG=:4096:8\n" in script
    assert "export NCCL_ALGO=Ring\n" in script


def test_pytorch_is_asked_only_by_a_plan_that_says_so(kept: None) -> None:
    assert torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    keep_to_deterministic_kernels(planned(deterministic=False))
    assert not torch.are_deterministic_algorithms_enabled()


def trained(plan: Plan, folder: Path) -> list[tuple[float, float, float]]:
    with alone.one_rank(folder):
        trainer, batch = Trainer(plan), alone.text(plan)
        assert trainer.config.deterministic_mode == plan.training.deterministic
        return [alone.step(trainer, batch) for _ in range(plan.training.steps)]


def test_every_operation_of_a_step_has_a_deterministic_kernel_and_the_numbers_stay(kept: None, tmp_path: Path) -> None:
    first, again = trained(planned(), tmp_path / "one"), trained(planned(), tmp_path / "two")
    assert first == again, "to the last bit"
    torch.use_deterministic_algorithms(False)
    free = trained(planned(deterministic=False), tmp_path / "free")
    assert [loss for loss, *_ in first] == pytest.approx([loss for loss, *_ in free], rel=1e-5)
    assert free == trained(planned(deterministic=False), tmp_path / "free again"), "on a CPU without being asked"


def test_exports_ask_for_it_as_the_other_programs_want_it() -> None:
    script, recipe = megatron_lm(planned(), None).text, nemo(planned(), None).text
    assert "--deterministic-mode" in script
    assert script.index("export NCCL_ALGO=Ring") < script.index("exec torchrun")
    assert recipe.index("os.environ |=") < recipe.index("import torch")
    assert "deterministic_mode=True" in recipe
    assert "cross_entropy_loss_fusion=False" in recipe
    compile(recipe, "recipe.py", "exec")
    plain = planned(deterministic=False)
    assert "NCCL_ALGO" not in megatron_lm(plain, None).text + nemo(plain, None).text


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_two_trainings_on_a_gpu_give_the_same_bits(kept: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    assert trained(planned(), tmp_path / "one") == trained(planned(), tmp_path / "two")
