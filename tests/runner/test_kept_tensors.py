"""What the planner counts of activations is what the runner's model keeps."""

from pathlib import Path

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from sixnd.planner.activations import Tokens, bytes_whole, layer_tensors
from sixnd.planner.candidates import Layouts
from sixnd.planner.machine import Machine
from sixnd.planner.memory import program
from sixnd.planner.transformer import Transformer
from sixnd.runner.model import build_chunk, transformer_config
from sixnd.specs import catalog
from sixnd.specs.plan import Plan
from tests.runner import tiny
from tests.runner.alone import one_rank


def kept_bytes(plan: Plan, sequences: int) -> int:
    """Bytes of every tensor that the model's forward pass saves, parameters left out, each storage once."""
    model = build_chunk(plan, transformer_config(plan))
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor  # holding it keeps its address from being used again
        return tensor

    tokens = torch.zeros(sequences, tiny.LENGTH, dtype=torch.long)
    with saved_tensors_hooks(note, lambda tensor: tensor):
        model(tokens, torch.arange(tiny.LENGTH).expand_as(tokens), None, labels=tokens)
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


@pytest.mark.parametrize("sequences", [2, 8])
def test_the_cpu_keeps_the_activations_that_a_plan_counts(tmp_path: Path, sequences: int) -> None:
    """Layers, the final norm's three tensors and the FP32 logits; rotary tables and row statistics are left out."""
    plan = tiny.plan(tiny.layout(micro_batch=sequences))
    with one_rank(tmp_path):
        found = kept_bytes(plan, sequences)
    model = Transformer.of_shape(plan.model.shape, tiny.VOCABULARY, tiny.LENGTH, tied=False)
    software, _ = program(Machine(catalog.accelerator("cpu-2core"), plan.cluster, "fp32"))
    at = Tokens(model.architecture, Layouts.of(plan.layout), software, model.sequence)
    layers = model.layers * bytes_whole(layer_tensors(at, with_experts=False))[0]
    ends = 3 * at.layer_input[0] + 4 * sequences * tiny.LENGTH * tiny.VOCABULARY
    assert found == pytest.approx(layers + ends, rel=0.03)
    assert found >= layers + ends
