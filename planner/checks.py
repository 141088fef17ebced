"""What only a plan shows to be contradictory: values of the spec that cannot hold together."""

from sixnd.planner.draft import Drafter
from sixnd.planner.transformer import Transformer
from sixnd.specs.budget import BudgetSpec
from sixnd.specs.checks import accelerator_hours_given
from sixnd.specs.errors import ContradictionError, Path, Problem
from sixnd.specs.plan import Estimate

_TOLERANCE = 0.02


def check_tokens_against_compute(spec: BudgetSpec, drafter: Drafter) -> None:
    """Raise ``ContradictionError`` where pinned N and D spend another compute than the budget's, by more than 2 %."""
    compute, tokens = spec.budget.compute, spec.data.tokens
    if compute is None or tokens is None or not drafter.model_pinned:
        return
    candidate = drafter.candidate_for(compute)
    each = drafter.flops_per_token(candidate)
    spent = each * tokens
    if abs(spent / compute - 1) > _TOLERANCE:
        message = (
            f"budget.compute ({compute:.4g} FLOPs) and data.tokens ({tokens:.4g}) disagree: "
            f"{_counted(drafter, candidate.model)} × {tokens:.4g} tokens is {spent:.4g} FLOPs"
        )
        do = f"keep one of them, or give {compute / each:.4g} tokens"
        also = (("budget", "compute"), _model_path(spec))
        raise ContradictionError(Problem(("data", "tokens"), message, do, also=also))


def _counted(drafter: Drafter, model: Transformer) -> str:
    params = model.active_params
    if drafter.spec.budget.counting == "exact":
        return f"{params:.4g} parameters, counted exactly,"
    if model.adapters is not None:
        return f"(4 × {params:.4g} parameters + 6 × {model.learning:.4g} of adapters)"
    return f"6 × {params:.4g} parameters"


def check_hours(spec: BudgetSpec, predicted: Estimate) -> None:
    """Raise ``ContradictionError`` where the given hours or money lie outside what the plan will take.

    Only where something else fixes the compute (``budget.compute``, or N and D): else the plan fills the hours.
    """
    hours = accelerator_hours_given(spec)
    pinned = _fixes_compute(spec)
    if not hours or pinned is None:
        return
    name, given = next(iter(hours.items()))
    if predicted.low <= given <= predicted.high:
        return
    what = ".".join(str(part) for part in pinned)
    message = (
        f"{what} and budget.{name} disagree: that compute takes {predicted.value:,.4g} accelerator-hours (80 % "
        f"interval {predicted.low:,.4g} to {predicted.high:,.4g}), the budget is {given:,.4g}"
    )
    raise ContradictionError(Problem(pinned, message, "keep one of them", also=(("budget", name),)))


def _fixes_compute(spec: BudgetSpec) -> Path | None:
    if spec.budget.compute is not None:
        return ("budget", "compute")
    if spec.budget.loss is not None:
        return ("budget", "loss")
    return ("data", "tokens") if spec.data.tokens is not None and spec.model.decided_by else None


def _model_path(spec: BudgetSpec) -> Path:
    return ("model", spec.model.decided_by[0])
