"""A tiny plan whose adapters alone learn."""

from typing import Any

from sixnd.planner.lora import Adapters
from sixnd.planner.transformer import Transformer
from sixnd.specs.continual import PlannedContinual
from sixnd.specs.lora import TARGETS, PlannedLora, Target
from sixnd.specs.plan import Plan


def adapted(
    plan: Plan, base: str = "base", rank: int = 4, targets: tuple[Target, ...] = TARGETS, **changes: Any
) -> Plan:
    """The plan with adapters; ``changes`` are of the base."""
    model = plan.model
    architecture = Transformer.of_shape(model.shape, model.padded_vocab_size, model.sequence_length, False).architecture
    params = Adapters(rank, targets).params(architecture)
    lora = PlannedLora(rank=rank, alpha=2 * rank, targets=list(targets), params=params)
    said = {"base": base, "name": "base", "kind": "run", "step": 1, "sha256": "0" * 64, "replay": 0.0, "general": []}
    continual = PlannedContinual(**(said | changes), lora=lora)
    return plan.model_copy(update={"continual": continual})
