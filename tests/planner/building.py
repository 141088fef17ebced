"""Specs and machines for the planner's tests."""

from typing import Any

from sixnd.planner.candidates import Layouts
from sixnd.planner.machine import Machine, machine_of
from sixnd.planner.transformer import Transformer
from sixnd.specs.budget import BudgetSpec
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
    picked = [Layouts.of(row) for row in rows]
    names = Layouts.__dataclass_fields__
    return Layouts.of_rows([tuple(int(getattr(one, name)[0]) for name in names) for one in picked])


LLAMA_2_7B = Transformer(32, 4096, 32, 32, 11008, 32000, 4096, tied=False)
LLAMA_3_8B = Transformer(32, 4096, 32, 8, 14336, 128256, 8192, tied=False)
LLAMA_3_70B = Transformer(80, 8192, 64, 8, 28672, 128256, 8192, tied=False)
LLAMA_3_405B = Transformer(126, 16384, 128, 8, 53248, 128256, 8192, tied=False)
