"""What this runner trains: asked before anything is written, and where torch need not be."""

from sixnd.specs.errors import UntrainablePlanError
from sixnd.specs.plan import Plan


def check_trainable(plan: Plan) -> None:
    """A plan of what this runner does not train is refused with all that stands in the way."""
    reasons = _untrainable(plan)
    if reasons:
        raise UntrainablePlanError(
            f"`sixnd run` does not train this plan: {'; '.join(reasons)}. It trains dense models of model.shape in "
            "FP32, BF16 or FP8",
            "change that in the spec and plan anew; other plans are for paper, or for the program they were made for",
        )


def _untrainable(plan: Plan) -> list[str]:
    layout, precision, family = plan.layout, plan.training.precision, plan.spec.model.family
    degrees = {"layout.expert": layout.expert, "layout.expert_tensor": layout.expert_tensor}
    reasons = [f"{name} is {degree}, and only 1 is trained" for name, degree in degrees.items() if degree > 1]
    if plan.model.architecture is not None:
        reasons.insert(
            0, f"model.family {family} has an architecture of its own" if family else "model.architecture is set"
        )
    if precision == "fp8" and plan.training.fp8_recipe is None:
        reasons.append("training.fp8_recipe is not in this plan; plan anew")
    if precision == "fp4":
        reasons.append(f"training.precision is {precision}")
    return reasons
