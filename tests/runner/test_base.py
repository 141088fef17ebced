"""Weights of a base become those of a run: from a Llama's folder and from a run's checkpoint, proved before."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sixnd.runner.base import base_event, proved_base, take_base
from sixnd.runner.checkpoints.saving import Moment, save_checkpoint
from sixnd.runner.export.huggingface import llama_of, to_llama
from sixnd.runner.export.huggingface_config import config
from sixnd.runner.export.huggingface_folder import write_weights
from sixnd.runner.job import JobFolder
from sixnd.runner.trainer import Trainer
from sixnd.specs.base_folders import llama_sha256
from sixnd.specs.continual import PlannedContinual
from sixnd.specs.errors import InvalidDataError
from sixnd.specs.plan import Plan
from tests.runner import tiny
from tests.runner.alone import one_rank, text

pytestmark = pytest.mark.filterwarnings("ignore:`load_state_dict` is deprecated:FutureWarning")  # Megatron loads by it
Weights = dict[str, torch.Tensor]
EMBEDDING = "embedding.word_embeddings.weight"


def plan_of(*, tied: bool = False) -> Plan:
    """A tiny plan whose global batch is one micro-batch."""
    return tiny.plan(tiny.layout(micro_batch=tiny.BATCH), tied=tied)


def weights_of(trainer: Trainer) -> Weights:
    state = trainer.chunks[0].module.state_dict()
    return {name: tensor.clone() for name, tensor in state.items() if isinstance(tensor, torch.Tensor)}


def a_model(folder: Path, plan: Plan, use: Callable[[Trainer], None] = lambda _trainer: None) -> Weights:
    """Weights of a model that was drawn, after ``use`` has had it."""
    with one_rank(folder):
        trainer = Trainer(plan)
        use(trainer)
        return weights_of(trainer)


def a_llama(folder: Path, plan: Plan, weights: Weights) -> Path:
    folder.mkdir()
    llama = llama_of(plan)
    write_weights(folder, to_llama(weights, llama, None))
    (folder / "config.json").write_text(json.dumps(config(plan, llama)))
    return folder


def going_on(plan: Plan, base: Path, sha256: str, step: int | None = None) -> Plan:
    """The plan as one that starts from the base, with weights of its own drawn otherwise."""
    planned = PlannedContinual(
        base=str(base), name="base", kind="run" if step else "llama", step=step, sha256=sha256, replay=0, general=[]
    )
    training = plan.training.model_copy(update={"seed": 77})
    return plan.model_copy(update={"continual": planned, "training": training})


def proved(plan: Plan, folder: Path) -> Path:
    job = JobFolder(folder)
    job.make()
    found = proved_base(job, plan, folder, lambda _text: None)
    assert found is not None
    return found


def refused(plan: Plan, folder: Path) -> str:
    with pytest.raises(InvalidDataError) as error:
        proved(plan, folder)
    return str(error.value)


@pytest.mark.parametrize("tied", [True, False])
def test_a_llamas_weights_are_taken_bit_for_bit_and_its_loss_with_them(tmp_path: Path, tied: bool) -> None:
    plan, losses = plan_of(tied=tied), []

    def measure(trainer: Trainer) -> None:
        losses.append(trainer.validate([iter([text(plan)])], 1))

    before = a_model(tmp_path / "a", plan, measure)
    llama = a_llama(tmp_path / "llama", plan, before)
    new = going_on(plan, llama, llama_sha256(llama))
    checkpoint = proved(new, tmp_path / "run")

    def take(trainer: Trainer) -> None:
        assert not torch.equal(weights_of(trainer)[EMBEDDING], before[EMBEDDING])
        take_base(checkpoint, trainer)
        measure(trainer)

    after = a_model(tmp_path / "b", new, take)
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert losses[1] == pytest.approx(losses[0], abs=1e-6)
    assert proved(new, tmp_path / "run") == checkpoint  # written once
    assert base_event(new, checkpoint, 1).sha256 == llama_sha256(llama)


def test_training_goes_on_from_the_base_and_not_from_what_was_drawn(tmp_path: Path) -> None:
    """The optimizer keeps copies of the weights: they must be the base's too, else the first step undoes it."""
    plan = plan_of()
    before = a_model(tmp_path / "a", plan)
    llama = a_llama(tmp_path / "llama", plan, before)
    still = plan.training.model_copy(update={"learning_rate": 1e-9, "final_learning_rate": 1e-10})
    new = going_on(plan.model_copy(update={"training": still}), llama, llama_sha256(llama))
    checkpoint = proved(new, tmp_path / "run")

    def step(trainer: Trainer) -> None:
        take_base(checkpoint, trainer)
        trainer.step([iter([text(plan)])])

    after = a_model(tmp_path / "b", new, step)
    assert all(torch.allclose(after[name], before[name], rtol=0, atol=1e-7) for name in before)


def test_a_runs_checkpoint_is_taken_after_every_byte_was_read(tmp_path: Path) -> None:
    plan, run = plan_of(), tmp_path / "base"
    (run / "checkpoints").mkdir(parents=True)
    (run / "plan.yaml").write_text(plan.to_yaml())
    moment = Moment(6, 1, plan.fingerprint(), plan.layout.label(), None)

    def save(trainer: Trainer) -> None:
        trainer.step([iter([text(plan)])])
        save_checkpoint(run / "checkpoints", moment, trainer.chunks, trainer.optimizer, trainer.scheduler)

    before = a_model(tmp_path / "a", plan, save)
    checkpoint = run / "checkpoints" / "step_00000006"
    told = json.loads((checkpoint / "sixnd.json").read_text())["sha256"]
    new = going_on(plan, run, told, step=6)
    assert proved(new, tmp_path / "run") == checkpoint
    after = a_model(tmp_path / "b", new, lambda trainer: take_base(checkpoint, trainer))
    assert all(torch.equal(after[name], before[name]) for name in before)

    assert "is not the base that was planned with" in refused(going_on(plan, run, "0" * 64, step=6), tmp_path / "run")
    assert "restore it" in refused(going_on(plan, run, told, step=4), tmp_path / "run")
    largest = max(checkpoint.iterdir(), key=lambda file: file.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1] + b"?")
    assert largest.name in refused(new, tmp_path / "run")

    (tmp_path / "run" / "checkpoints" / "step_00000002").mkdir()
    assert proved_base(JobFolder(tmp_path / "run"), new, tmp_path, lambda _text: None) is None  # it goes on by itself


def test_hostile_llamas_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    plan = plan_of()
    good = a_llama(tmp_path / "good", plan, a_model(tmp_path / "a", plan))

    def spoilt(name: str, spoil: Callable[[Path], object]) -> str:
        folder = tmp_path / name
        shutil.copytree(good, folder)
        spoil(folder)
        return refused(going_on(plan, folder, llama_sha256(folder)), tmp_path / f"run-{name}")

    def changed(**changes: object) -> Callable[[Path], object]:
        def change(folder: Path) -> None:
            path = folder / "config.json"
            path.write_text(json.dumps(json.loads(path.read_text()) | changes))

        return change

    def torn(folder: Path) -> None:
        file = folder / "model.safetensors"
        file.write_bytes(file.read_bytes()[:-100])

    def pickled(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")

    assert "cannot be read as safetensors" in spoilt("torn", torn)
    assert "config.json asks for" in spoilt("shapes", changed(intermediate_size=64))
    assert "model_type" in spoilt("architecture", changed(model_type="mistral"))
    assert "rope_theta" in spoilt("positions", changed(rope_theta=500000.0))
    with pytest.raises(InvalidDataError, match="a pickle can run any program"):
        spoilt("pickle", pickled)
    assert not list(tmp_path.glob("run-*/data/base-*[0-9a-f]"))
