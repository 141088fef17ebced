"""A run's plan on other machines or another layout: what changes the model stays, the rest is planned anew."""

from sixnd.planner.plan import make_plan
from sixnd.specs.batch_ramp import BatchRamp, BatchStage
from sixnd.specs.budget import Budget, BudgetSpec, ModelRequest, Training
from sixnd.specs.errors import InfeasibleError
from sixnd.specs.plan import Decision, Plan


def relocated(plan: Plan, spec: BudgetSpec) -> Plan:
    """The plan with the cluster and layout that ``spec`` asks for; its fingerprint is the same.

    Checkpoints, supervision and launch are of ``spec`` too; of model, data, training and evaluation nothing is. Raises
    ``InfeasibleError`` where no layout fits, or the plan's padded vocabulary cannot be split so.
    """
    pinned = _pinned(plan, spec)
    made = make_plan(pinned)
    _check_vocabulary(plan, made)
    reason = "model, data and training are those of the run that goes on; layout, intervals and estimates are of now"
    decision = Decision(what="run", value=plan.fingerprint(), reason=reason, source="the run's plan", pinned=True)
    kept = {"model": plan.model, "data": plan.data, "training": plan.training, "evaluation": plan.evaluation}
    held_to = pinned.model_copy(update={"budget": plan.spec.budget})  # what may be spent stays what it was
    stated = {"spec": held_to, "spec_sha256": held_to.digest()}
    return made.model_copy(update={**kept, **stated, "name": plan.name, "decisions": [decision, *made.decisions]})


def _pinned(plan: Plan, spec: BudgetSpec) -> BudgetSpec:
    """The plan's own spec with all decided that decides N, D and the steps, on the machines of ``spec``."""
    asked, model = plan.spec, plan.model
    request = ModelRequest(
        shape=model.shape,
        sequence_length=model.sequence_length,
        vocab_size=model.vocab_size,
        tied_embeddings=model.tied_embeddings,
    )
    return asked.model_copy(
        update={
            "budget": Budget(compute=6.0 * model.active_params * plan.data.tokens),
            "cluster": spec.cluster,
            "layout": spec.layout,
            "checkpoints": spec.checkpoints,
            "supervision": spec.supervision,
            "launch": spec.launch,
            "model": request,
            "data": asked.data.model_copy(update={"tokens": float(plan.data.tokens)}),
            "training": _training(plan),
            "inference": None,
        }
    )


def _training(plan: Plan) -> Training:
    planned = plan.training
    pinned = {
        "global_batch": float(planned.global_batch * plan.model.sequence_length),
        "learning_rate": planned.learning_rate,
        "precision": planned.precision,
        "batch_ramp": _ramp(plan),
    }
    return plan.spec.training.model_copy(update=pinned)


def _ramp(plan: Plan) -> BatchRamp | None:
    """The plan's batches as they are, in whole steps."""
    stages, length = plan.training.batch_stages[:-1], plan.model.sequence_length
    if not stages:
        return None
    return BatchRamp(
        stages=[
            BatchStage(until=float(plan.tokens_after(one.last_step)), global_batch=float(one.global_batch * length))
            for one in stages
        ],
        learning_rate=plan.training.ramp_learning_rate,
    )


def _check_vocabulary(plan: Plan, made: Plan) -> None:
    rows, ranks = plan.model.padded_vocab_size, made.layout.tensor
    if rows % ranks:
        raise InfeasibleError(
            f"the run's vocabulary is padded to {rows:,} rows, which {ranks} tensor-parallel ranks cannot share",
            "pin layout.tensor to a degree that divides it",
        )
