"""What becomes of a layout that the user names: which rule or how many bytes reject it, or where it loses how much."""

import re

from sixnd.planner.candidates import MODULES
from sixnd.planner.explanation import Explanation, Facts, Step
from sixnd.planner.layout import nearest_to_lawful, no_memory, step_time
from sixnd.planner.layout_search import Costed, Space, explore, usable_memory
from sixnd.planner.rules import Setting, problems
from sixnd.specs.budget import Layout
from sixnd.specs.plan import PlannedLayout

_DEGREES = {
    "TP": "tensor",
    "PP": "pipeline",
    "VPP": "virtual_pipeline",
    "CP": "context",
    "EP": "expert",
    "ETP": "expert_tensor",
    "DP": "data",
    "MBS": "micro_batch",
}
_TERM = re.compile(r"(?P<name>VPP|ETP|MBS|TP|PP|CP|EP|DP)\s*=?\s*(?P<degree>\d+)", re.IGNORECASE)
_RECOMPUTE = re.compile(
    rf"recompute-(?P<what>none|selective|full|(?:{'|'.join(MODULES)})(?=[\s,+]|$))[\w+:]*", re.IGNORECASE
)
_NOTABLE = 1e-3
"""Differences of step time below this share are not told."""


def asked_layout(text: str) -> Layout | None:
    """Pins of a text like ``TP8 PP16 recompute-full``, what it leaves out being free; none where it is no layout.

    Of recomputation the level is pinned; its modules or layers are free.
    """
    pins: dict[str, object] = {_DEGREES[t["name"].upper()]: int(t["degree"]) for t in _TERM.finditer(text)}
    again = [match["what"].lower() for match in _RECOMPUTE.finditer(text)]
    if again:
        pins["recompute"] = "selective" if again[-1] in MODULES else again[-1]
    rest = _TERM.sub("", _RECOMPUTE.sub("", text))
    return None if not pins or rest.strip(" ,×x") else Layout.model_validate(pins)


def why_not(facts: Facts, text: str, pins: Layout) -> Explanation:
    """How layouts with those degrees fare on the plan's cluster, whatever its spec pins."""
    setting = facts.setting
    space = explore(setting, pins)
    if not len(space.bounds.layouts):
        return Explanation(text, "breaks a rule", False, _broken(facts, setting, pins, space))
    if not len(space.costed.layouts):
        step = Step("memory", "; ".join(no_memory(setting, pins, space)), "does not fit", "planner/memory.py")
        return Explanation(text, "does not fit", False, [_counted(space), step])
    best, chosen = space.costed.pick([0]), facts.plan.layout
    found = best.layouts.document(0)
    steps = [_counted(space), _fitting(setting, best), *_against(setting, found, chosen)]
    return Explanation(text, str(steps[-1].value), False, steps)


def _counted(space: Space) -> Step:
    told = f"of {len(space.splits):,} splits with these degrees, with each micro-batch, before recomputation"
    return Step("lawful layouts", told, len(space.bounds.layouts), "rules of Megatron-core")


def _broken(facts: Facts, setting: Setting, pins: Layout, space: Space) -> list[Step]:
    if not len(space.splits):
        ranks = setting.machine.planned.count
        return [
            Step("ranks", f"these degrees do not make {ranks} ranks", "no such layout", "spec: cluster.accelerators")
        ]
    one = nearest_to_lawful(setting, pins, space).document(0)
    return [
        Step(one.label(), problem.message, "rejected", "spec: " + ".".join(str(part) for part in problem.path))
        for problem in problems(setting, one, facts.spec)
    ]


def _fitting(setting: Setting, best: Costed) -> Step:
    memory, room = best.memory_bytes[0] / 1e9, usable_memory(setting.machine) / 1e9
    told = f"the fastest of them that fits; {memory:.4g} GB a rank of {room:.4g} GB that are usable"
    return Step(best.layouts.document(0).label(), told, float(best.time_s[0]), "planner/step_seconds.py", "s a step")


def _against(setting: Setting, found: PlannedLayout, chosen: PlannedLayout) -> list[Step]:
    """Where its step loses or gains against the plan's, most first."""
    ours, theirs = step_time(setting, chosen).plain(), step_time(setting, found).plain()
    total = sum(ours.values())
    moved = {name: theirs[name] - ours[name] for name in ours}
    order = sorted(moved, key=lambda name: -abs(moved[name]))
    steps = [
        Step(name.replace("_", " "), f"{theirs[name]:.4g} s against {ours[name]:.4g} s", moved[name], "", "s")
        for name in order
        if abs(moved[name]) > _NOTABLE * total
    ]
    slower = sum(theirs.values()) / total - 1
    verdict = (
        "the plan's own layout" if found == chosen else f"{abs(slower):.1%} {'slower' if slower >= 0 else 'faster'}"
    )
    return [*steps, Step("against " + chosen.label(), f"{total:.5g} s a step", verdict, "planner/step_seconds.py")]
