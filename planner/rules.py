"""What Megatron-core 0.16 requires of a layout, checked by us for many candidates at once.

Read from megatron-core 0.16.1: ``TransformerConfig`` and ``MLATransformerConfig`` (``__post_init__``), process groups
(``parallel_state.initialize_model_parallel``), what the layers divide (attention, MLP, experts, embedding), how stages
are filled (``transformer_block.get_num_layers_to_build``, ``PipelineParallelLayerLayout``), the interleaved schedule
(``pipeline_parallel.schedules``) and the counter of micro-batches (``num_microbatches_calculator``). Rules marked
``ours`` are stricter than Megatron.
"""

from typing import Any

import numpy as np

from sixnd.planner.candidates import Bools, Layouts
from sixnd.planner.precision_rules import PRECISION_RULES
from sixnd.planner.rule import Rule, Setting
from sixnd.planner.split_rules import SPLIT_RULES as _SPLITS
from sixnd.planner.step_rules import STEP_RULES
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.errors import Path, Problem
from sixnd.specs.plan import PlannedLayout

__all__ = ["RULES", "SPLIT_RULES", "Rule", "Setting", "place", "problems", "violations"]

RULES = tuple(sorted((*_SPLITS, *STEP_RULES, *PRECISION_RULES), key=lambda rule: not rule.split_only))
"""All rules; those that look at the split of ranks alone come first."""
SPLIT_RULES = tuple(rule for rule in RULES if rule.split_only)


def violations(setting: Setting, layouts: Layouts, *, split_only: bool = False) -> Bools:
    """Which candidate breaks which rule: an array of (rules, candidates).

    With ``split_only`` by ``SPLIT_RULES`` alone, whose verdict no micro-batch or recomputation changes.
    """
    rules = SPLIT_RULES if split_only else RULES
    found = np.empty((len(rules), len(layouts)), dtype=bool)
    for row, rule in zip(found, rules, strict=True):
        row[:] = rule.breaks(setting, layouts)
    return found


def problems(setting: Setting, layout: PlannedLayout, spec: BudgetSpec | None = None) -> list[Problem]:
    """What is wrong with a layout, each at the field of ``spec`` that pins it, if one does."""
    one = Layouts.of(layout)
    broken = violations(setting, one)[:, 0]
    return [
        _problem(rule, rule.sentence(setting, one), spec) for rule, breaks in zip(RULES, broken, strict=True) if breaks
    ]


def _problem(rule: Rule, message: str, spec: BudgetSpec | None) -> Problem:
    path = place(rule, spec)
    given = spec is not None and _given(spec, path)
    do = f"{'leave' if given else 'change'} {'.'.join(map(str, path))}{' to the planner' if given else ''}"
    return Problem(path, message, do, also=tuple(other for other in rule.paths if other != path))


def place(rule: Rule, spec: BudgetSpec | None) -> Path:
    """The field of a spec to change for a rule: the nearest one that the spec sets, else the nearest."""
    return next((path for path in rule.paths if spec is not None and _given(spec, path)), rule.paths[0])


def _given(spec: BudgetSpec, path: Path) -> bool:
    parent: Any = spec
    for part in path[:-1]:
        parent = getattr(parent, str(part), None)
        if parent is None:
            return False
    name = str(path[-1])
    return name in parent.model_fields_set and getattr(parent, name) not in (None, "auto")
