"""Specs and machines for the planner's tests."""

from typing import Any

from sixnd.planner.candidates import Layouts
from sixnd.planner.machine import Machine, machine_of
from sixnd.planner.transformer import Transformer
from sixnd.specs import catalog
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.families import Architecture
from sixnd.specs.plan import PlannedLayout

SOURCES = [{"name": "web", "weight": 3}, {"name": "code", "weight": 1}]


def spec(budget: dict[str, Any], accelerators: str = "8 x h100-sxm", **parts: Any) -> BudgetSpec:
    """A budget spec with defaults for what the test does not look at."""
    cluster = {"accelerators": accelerators} | parts.pop("cluster", {})
    data = {"sources": SOURCES} | parts.pop("data", {})
    document = {"version": "budget/1", "name": "test", "budget": budget, "cluster": cluster, "data": data}
    return BudgetSpec.model_validate(document | parts)


def machine(accelerators: str = "64 x h100-sxm") -> Machine:
    """A cluster as the cost functions see it."""
    return machine_of(spec({"compute": 1e20}, accelerators))


def layout(tensor: int = 1, pipeline: int = 1, data: int = 1, **parts: Any) -> PlannedLayout:
    """A planned layout; sequence parallelism whenever TP > 1."""
    defaults = {"virtual_pipeline": 1, "micro_batch": 1, "recompute": "none", "sequence_parallel": tensor > 1}
    values = (
        defaults | {"tensor": tensor, "pipeline": pipeline, "data": data, "distributed_optimizer": data > 1} | parts
    )
    return PlannedLayout.model_validate(values)


def layouts(*rows: PlannedLayout) -> Layouts:
    """Several layouts as arrays."""
    return Layouts.of(*rows)


def dense(*sizes: int, vocab: int, sequence: int, tied: bool = False, **parts: Any) -> Transformer:
    """A dense decoder of (layers, hidden, heads, key-value heads, FFN)."""
    names = ("layers", "hidden", "heads", "kv_heads", "ffn")
    architecture = Architecture.model_validate(dict(zip(names, sizes, strict=True), vocab=vocab, tied=tied, **parts))
    return Transformer(architecture, sequence)


def published(name: str, sequence: int | None = None) -> Transformer:
    """A model of the catalog."""
    family = catalog.model_family(name)
    return Transformer(family.architecture, sequence or family.sequence)


LLAMA_2_7B = dense(32, 4096, 32, 32, 11008, vocab=32000, sequence=4096)
LLAMA_3_8B = dense(32, 4096, 32, 8, 14336, vocab=128256, sequence=8192)
LLAMA_3_70B = dense(80, 8192, 64, 8, 28672, vocab=128256, sequence=8192)
LLAMA_3_405B = dense(126, 16384, 128, 8, 53248, vocab=128256, sequence=8192)
