"""``reasoning``: the derivations of N, D and the loss that ``explain`` gives, and a ladder, for a report of a plan."""

from dataclasses import asdict

from sixnd.planner.explain import explain
from sixnd.planner.ladder import Request, make_ladder
from sixnd.specs.errors import SixndError
from sixnd.specs.ladder import Ladder
from sixnd.specs.plan import Plan
from sixnd.specs.reasoning import Chain, Reasoning

LADDER_SHARE = 0.05
"""Of the plan's compute: what the ladder of a report may spend."""


def reasoning(plan: Plan) -> Reasoning:
    """What a report says of ``plan`` beside what stands in it; the plan must be one of today's catalogs."""
    ladder = _ladder(plan)
    return Reasoning(
        chains=[Chain(**asdict(explain(plan, name))) for name in ("N", "D", "loss")],
        ladder=ladder if isinstance(ladder, Ladder) else None,
        no_ladder=ladder if isinstance(ladder, str) else "",
    )


def _ladder(plan: Plan) -> Ladder | str:
    """The ladder by the defaults of `sixnd ladder`, or why there is none."""
    try:
        return make_ladder(plan.spec, Request(LADDER_SHARE), f"{plan.name}.yaml").ladder
    except SixndError as error:
        return str(error)
