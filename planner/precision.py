"""Which precision of matrix products: the spec's, or of those it allows the one that takes the budget furthest."""

from typing import NamedTuple

from sixnd.planner.checks import check_tokens_against_compute
from sixnd.planner.draft import Draft, Drafter
from sixnd.planner.machine import allowed_precisions, machine_of
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.checks import accelerator_hours_given
from sixnd.specs.errors import InfeasibleError


class InPrecision(NamedTuple):
    """A draft in one precision, and those that were not chosen."""

    drafter: Drafter
    draft: Draft
    others: str
    """What the others would have come to; empty where the spec leaves no choice."""


def in_best_precision(spec: BudgetSpec) -> InPrecision:
    """The draft in the precision that ends first, or where hours or money are the budget reaches the lowest loss.

    Raises what drafting raises, where no precision that the spec allows has a plan.
    """
    drafted: list[tuple[Drafter, Draft]] = []
    told, refusal = [], None
    for precision in allowed_precisions(spec):
        drafter = Drafter(spec, machine_of(spec, precision))
        check_tokens_against_compute(spec, drafter)
        try:
            draft = drafter.solve()
        except InfeasibleError as error:
            refusal = refusal or error
            told.append(f"{precision}: {error}")
            continue
        drafted.append((drafter, draft))
        told.append(f"{precision} {draft.step_time_s:.3g} s a step, {draft.steps:,} steps")
    if not drafted:
        assert refusal is not None, "a spec allows at least one precision"
        raise refusal
    drafter, draft = min(drafted, key=lambda one: _furthest(spec, *one))
    return InPrecision(drafter, draft, "; ".join(told) if len(told) > 1 else "")


def _furthest(spec: BudgetSpec, drafter: Drafter, draft: Draft) -> tuple[float, float]:
    seconds = draft.train_s
    if accelerator_hours_given(spec):
        return drafter.loss(draft.candidate.model.active_params, draft.tokens), seconds
    return seconds, 0.0
