"""sixnd turns a compute budget into a trained language model and says at every step why.

From Python: ``sixnd.load_budget(path)`` reads a spec, ``sixnd.make_plan(spec)`` plans it and
``sixnd.run_plan(plan, runs_dir=…, base_dir=…, progress=…)`` trains it. Each imports its room when first used.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "load_budget": "sixnd.specs.load",
    "load_plan": "sixnd.specs.load",
    "make_plan": "sixnd.planner.plan",
    "run_plan": "sixnd.runner.launch",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'sixnd' has no attribute '{name}'")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_PUBLIC]
