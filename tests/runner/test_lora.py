"""Adapters on real Megatron: only they learn, by the gradients of the merged matrices, and merged they do the same."""

import json
from pathlib import Path

import pytest
import torch

from sixnd.planner.activations import Tokens, bytes_whole, layer_tensors
from sixnd.planner.candidates import Layouts
from sixnd.planner.lora import Adapters
from sixnd.planner.machine import Machine
from sixnd.planner.memory import program
from sixnd.planner.transformer import Transformer
from sixnd.runner.base import take_base
from sixnd.runner.checkpoints.checkpoint import load_checkpoint
from sixnd.runner.checkpoints.saving import Moment, save_checkpoint
from sixnd.runner.export.huggingface import llama_of, to_llama
from sixnd.runner.export.huggingface_config import config, generation_config
from sixnd.runner.export.huggingface_folder import new_folder, write_weights
from sixnd.runner.lora import is_adapter, whole_weights
from sixnd.runner.model import build_chunk, transformer_config
from sixnd.runner.trainer import Trainer
from sixnd.specs import catalog
from sixnd.specs.base_folders import read_base
from sixnd.specs.errors import InvalidDataError
from sixnd.specs.plan import Plan
from tests.runner import alone, tiny
from tests.runner.adapted import adapted
from tests.runner.test_kept_tensors import kept_bytes

pytestmark = pytest.mark.filterwarnings("ignore:`load_state_dict` is deprecated:FutureWarning")  # Megatron loads by it
TOKENS = torch.randint(500, (2, tiny.LENGTH), generator=torch.Generator().manual_seed(7))
PLACES = torch.arange(tiny.LENGTH).expand(2, -1)


def planned(**options) -> Plan:
    return tiny.plan(tiny.layout(micro_batch=tiny.BATCH), learning_rate=1e-2, **options)


def stir(model: torch.nn.Module) -> None:
    """Random numbers added to every parameter, so that adapters do something."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)


def loss(model: torch.nn.Module) -> torch.Tensor:
    return model(TOKENS, PLACES, None, labels=TOKENS.roll(-1, 1)).mean()


def test_before_its_first_step_an_adapted_model_is_its_base_to_the_last_bit(tmp_path):
    found = []
    for name, plan in (("base", planned()), ("adapted", adapted(planned()))):
        with alone.one_rank(tmp_path / name), torch.no_grad():
            found.append(build_chunk(plan, transformer_config(plan))(TOKENS, PLACES, None))
    assert torch.equal(*found)


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
def test_only_adapters_move_and_all_of_them_do(tied, tmp_path):
    with alone.one_rank(tmp_path):
        trainer = Trainer(adapted(planned(tied=tied)))
        named = dict(trainer.chunks[0].module.named_parameters())
        before = {name: parameter.detach().clone() for name, parameter in named.items()}
        losses = [alone.step(trainer, alone.text(trainer.plan))[0] for _ in range(3)]
        moved = {name for name, parameter in named.items() if not torch.equal(parameter, before[name])}
    assert moved == {name for name in named if is_adapter(name)}
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("targets", [("attention",), ("feed-forward",), ("attention", "feed-forward")], ids=str)
def test_as_many_parameters_learn_as_the_plan_counts(targets, tmp_path):
    plan = adapted(planned(), rank=3, targets=targets)
    with alone.one_rank(tmp_path):
        model = build_chunk(plan, transformer_config(plan))
        found = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert found == plan.continual.lora.params


def test_gradients_are_those_of_the_merged_matrices_by_the_chain_rule(tmp_path):
    """dL/dB = s · dL/dW · Aᵀ and dL/dA = s · Bᵀ · dL/dW, W being the whole matrix of a model without adapters."""
    plan = adapted(planned())
    with alone.one_rank(tmp_path):
        model = build_chunk(plan, transformer_config(plan))
        stir(model)
        loss(model).backward()
        plain = build_chunk(planned(), transformer_config(planned()))
        plain.load_state_dict(whole_weights(model), strict=False)
        loss(plain).backward()
        found, whole = dict(model.named_parameters()), dict(plain.named_parameters())
        for name in (n.removesuffix(".lora_a") for n in found if n.endswith("lora_a")):
            a, b, w = found[f"{name}.lora_a"], found[f"{name}.lora_b"], whole[f"{name}.weight"].grad
            scale = plan.continual.lora.scale
            assert torch.allclose(b.grad, scale * w @ a.detach().T, rtol=1e-4, atol=1e-6), name
            assert torch.allclose(a.grad, scale * b.detach().T @ w, rtol=1e-4, atol=1e-6), name
        assert all(parameter.grad is None for name, parameter in found.items() if not is_adapter(name))


AGAIN = {"recompute": "full"}, {"recompute": "selective", "recompute_modules": ["mlp"]}


@pytest.mark.parametrize("recompute", AGAIN, ids=lambda options: options["recompute"])
def test_what_is_recomputed_gives_the_same_gradients(recompute, tmp_path):
    def gradients(**options) -> dict[str, torch.Tensor]:
        plan = adapted(tiny.plan(tiny.layout(**options)))
        with alone.one_rank(tmp_path / str(len(options))):
            model = build_chunk(plan, transformer_config(plan))
            stir(model)
            loss(model).backward()
            return {name: p.grad for name, p in model.named_parameters() if p.requires_grad}

    again, once = gradients(**recompute), gradients()
    assert all(torch.equal(again[name], gradient) for name, gradient in once.items())


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
def test_transformers_gives_the_same_logits_of_the_merged_model(tied, tmp_path):
    from transformers import AutoModelForCausalLM

    plan = adapted(planned(tied=tied))
    with alone.one_rank(tmp_path / "rank"), torch.no_grad():
        model = build_chunk(plan, transformer_config(plan)).eval()
        base = model(TOKENS, PLACES, None)
        stir(model)
        ours, llama = model(TOKENS, PLACES, None), llama_of(plan)
        with new_folder(tmp_path / "exported") as temporary:
            write_weights(temporary, to_llama(whole_weights(model), llama, None))
            (temporary / "config.json").write_text(json.dumps(config(plan, llama)))
            (temporary / "generation_config.json").write_text(json.dumps(generation_config()))
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "exported", local_files_only=True).eval()
    with torch.no_grad():
        theirs = model(TOKENS).logits
    assert not torch.allclose(ours, base, atol=0.1)
    assert torch.allclose(theirs, ours, rtol=0, atol=1e-4)


@pytest.mark.parametrize("targets", [("attention",), ("attention", "feed-forward")], ids=str)
def test_the_cpu_keeps_the_activations_that_a_plan_counts(targets, tmp_path):
    plan, sequences = adapted(planned(), rank=16, targets=targets), tiny.BATCH
    with alone.one_rank(tmp_path):
        found = kept_bytes(plan, sequences)
    model = Transformer.of_shape(plan.model.shape, tiny.VOCABULARY, tiny.LENGTH, tied=False)
    software, _ = program(Machine(catalog.accelerator("cpu-2core"), plan.cluster, "fp32"))
    adapters = Adapters(16, targets)
    at = Tokens(model.architecture, Layouts.of(plan.layout), software, model.sequence, adapters=adapters)
    layers = model.layers * bytes_whole(layer_tensors(at, with_experts=False))[0]
    ends = at.layer_input[0] + 4 * sequences * tiny.LENGTH * tiny.VOCABULARY
    assert found == pytest.approx(layers + ends, rel=0.03)


def taken(trainer: Trainer, checkpoint: Path) -> float:
    take_base(checkpoint, trainer)
    return trainer.validate([iter([alone.text(trainer.plan)])], 1)


def test_a_bases_weights_are_taken_beside_new_adapters_and_adapters_come_back_from_a_checkpoint(tmp_path):
    plan, trained = planned(), adapted(planned())
    with alone.one_rank(tmp_path / "base"):
        trainer = Trainer(plan)
        alone.step(trainer, alone.text(plan))
        base = saved(trainer, tmp_path / "of the base")
        expected = trainer.validate([iter([alone.text(plan)])], 1)
    with alone.one_rank(tmp_path / "adapted"):
        trainer = Trainer(trained.model_copy(update={"training": plan.training.model_copy(update={"seed": 77})}))
        assert taken(trainer, base) == expected, "B is zero, so the base itself is seen"
        alone.step(trainer, alone.text(plan))
        kept = saved(trainer, tmp_path / "of the adapters")
        losses = [alone.step(trainer, alone.text(plan))[0] for _ in range(2)]
    with alone.one_rank(tmp_path / "again"):
        trainer = Trainer(trained)
        assert load_checkpoint(kept, trainer.chunks, trainer.optimizer, trainer.scheduler) == 1
        assert [alone.step(trainer, alone.text(plan))[0] for _ in range(2)] == losses


def saved(trainer: Trainer, root: Path) -> Path:
    """Its checkpoint after step 1."""
    moment = Moment(1, 1, trainer.plan.fingerprint(), trainer.plan.layout.label(), None)
    path, _seconds = save_checkpoint(root, moment, trainer.chunks, trainer.optimizer, trainer.scheduler)
    return path


def test_a_run_of_adapters_is_no_base_before_it_is_exported(tmp_path):
    (tmp_path / "plan.yaml").write_text(adapted(planned()).to_yaml())
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(InvalidDataError, match="sixnd export --to huggingface"):
        read_base(tmp_path)
