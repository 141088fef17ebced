"""The rungs of a ladder as budget specs: the target's text, vocabulary and recipe, its size and tokens pinned."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from sixnd.planner.architecture import Candidate, with_vocab
from sixnd.planner.draft import Drafter
from sixnd.planner.hyperparameter_laws import Point
from sixnd.planner.hyperparameters import global_batch
from sixnd.planner.machine import machine_of
from sixnd.planner.plan import make_plan
from sixnd.specs import catalog
from sixnd.specs.budget import Budget, BudgetSpec, Layout, Shape, Source, Training
from sixnd.specs.checkpoint_policy import Checkpoints
from sixnd.specs.data_stages import resolved
from sixnd.specs.errors import InfeasibleError
from sixnd.specs.evaluation import Evaluation
from sixnd.specs.plan import Plan
from sixnd.specs.prepared import PreparedData
from sixnd.specs.prepared_checks import prepared_for
from sixnd.specs.quantity import AcceleratorCount

Relocate = Callable[[str], str]
"""From a path as the target's spec writes it to the same path as a rung's spec must."""

_THRIFT = 1.1
"""A rung takes as many accelerators as cost at most so many times the accelerator-hours of the thriftiest number."""
_NAME_LENGTH = 56
_LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class RungPlan:
    """A rung as it will be run."""

    spec: BudgetSpec
    plan: Plan


def template(spec: BudgetSpec, vocab_size: int, relocate: Relocate = str) -> BudgetSpec:
    """What all rungs share: the target's spec with its vocabulary pinned, and everything that size decides by law.

    Losses are comparable only over one vocabulary, one mix and one sequence length.
    """
    sources = [
        source if source.path is None else source.model_copy(update={"path": relocate(source.path)})
        for source in spec.data.sources
    ]
    return spec.model_copy(
        update={
            "data": spec.data.model_copy(update={"sources": sources, "prepared": _of_moved(spec, sources)}),
            "model": spec.model.model_copy(update={"vocab_size": vocab_size, "params": None, "shape": None}),
            "training": _lawful(spec),
            "layout": Layout(),
            "checkpoints": Checkpoints(),
            "evaluation": Evaluation(),
            "inference": None,
        }
    )


def _of_moved(spec: BudgetSpec, sources: list[Source]) -> PreparedData | None:
    """The prepared data as that of the sources at their relocated paths."""
    if spec.data.prepared is None:
        return None
    return prepared_for(spec.data.prepared, sources, resolved(spec.data.across or []))


def _lawful(spec: BudgetSpec) -> Training:
    """Batch and learning rate left to the law where it has them; muP carries the target's rate to every width."""
    law = catalog.hyperparameter_law(spec.hyperparameter_law)
    changes: dict[str, object] = {} if law.batch_tokens is None else {"global_batch": None}
    changes["batch_ramp"] = None  # its tokens are the target's; the laws are of runs whose batch does not change
    if law.learning_rate is not None and spec.training.parametrization == "standard":
        changes["learning_rate"] = None
    return spec.training.model_copy(update=changes)


def batch_tokens(shared: BudgetSpec, candidate: Candidate, tokens: float, loss: float) -> int:
    """Tokens in one step of such a rung."""
    point = Point(candidate.model.params_non_embedding, tokens, loss)
    return global_batch(shared, point).sequences * shared.model.sequence_length


def rung_plans(shared: BudgetSpec, wanted: list[tuple[Candidate, float]], target: Plan) -> list[RungPlan]:
    """Each wanted model on so many tokens, planned, in rising order of compute; equal ones differ in their seed.

    All are validated on the same held-out text, once, at their end; on which the target can be, too.
    """
    drafted = [_on_its_cluster(shared, candidate.shape, tokens) for candidate, tokens in wanted]
    drafted.sort(key=lambda spec: spec.budget.compute or 0.0)
    named = [_named(spec, drafted[:i], i + 1) for i, spec in enumerate(drafted)]
    plans = [make_plan(spec) for spec in named]
    validated = _validation_sequences(plans, target) * target.model.sequence_length
    specs = [_validated(spec, plan, validated) for spec, plan in zip(named, plans, strict=True)]
    return [RungPlan(spec, make_plan(spec)) for spec in specs]


def _on_its_cluster(shared: BudgetSpec, shape: Shape, tokens: float) -> BudgetSpec:
    """The rung's spec on as many of the target's accelerators as it uses well.

    Raises ``InfeasibleError`` where it fits on none of the numbers tried.
    """
    best: tuple[float, BudgetSpec] | None = None
    refusal: InfeasibleError | None = None
    for count in _counts(shared):
        spec = _pinned(shared, shape, tokens, count)
        try:
            draft = Drafter(spec, machine_of(spec)).solve()
        except InfeasibleError as error:
            refusal = error
            continue
        hours = draft.train_s * count
        if best is not None and hours > _THRIFT * best[0]:
            break
        best = (min(hours, best[0]) if best else hours, spec)
    if best is None:
        assert refusal is not None, "at least one number of accelerators was tried"
        raise refusal
    return best[1]


def _counts(shared: BudgetSpec) -> list[int]:
    """Powers of two up to the cluster, and the cluster; on a shared host only the cluster as it is."""
    whole = shared.accelerators.count
    if catalog.accelerator(shared.accelerators.name).shared_host:
        return [whole]
    return [*(1 << i for i in range(whole.bit_length()) if 1 << i < whole), whole]


def _pinned(shared: BudgetSpec, shape: Shape, tokens: float, count: int) -> BudgetSpec:
    """Shape, tokens and cluster pinned, and the compute that they amount to as the budget."""
    accelerators = AcceleratorCount(count, shared.accelerators.name)
    spec = shared.model_copy(
        update={
            "cluster": shared.cluster.model_copy(update={"accelerators": accelerators}),
            "model": shared.model.model_copy(update={"shape": shape}),
            "data": shared.data.model_copy(update={"tokens": _written(tokens)}),
        }
    )
    drafter = Drafter(spec, machine_of(spec))
    compute = drafter.flops_per_token(with_vocab(shape, spec.model_of_data, drafter.multiple)) * _written(tokens)
    budget = Budget(compute=float(f"{compute:.9g}"), counting=shared.budget.counting)
    return spec.model_copy(update={"budget": budget})


def _written(tokens: float) -> float:
    """The tokens to six digits, rounded down: a spec that was written and read again is the same spec."""
    unit = 10.0 ** (math.floor(math.log10(tokens)) - 5)
    return float(f"{math.floor(tokens / unit) * unit:.6g}")


def _named(spec: BudgetSpec, before: list[BudgetSpec], number: int) -> BudgetSpec:
    same = sum((other.model, other.data) == (spec.model, spec.data) for other in before)
    seed = (spec.training.seed + same - 1) % _LARGEST_SEED + 1
    training = spec.training.model_copy(update={"seed": seed})
    return spec.model_copy(update={"name": f"{spec.name[:_NAME_LENGTH]}-r{number:02d}", "training": training})


def _validation_sequences(plans: list[Plan], target: Plan) -> int:
    """Sequences that are whole batches of every rung: the target's own, or the usual validation of the largest rung."""
    batches = [plan.training.global_batch for plan in plans]
    whole, asked = math.lcm(*batches), target.spec.evaluation.tokens
    least = Evaluation().batches * max(batches) if asked is None else asked / target.model.sequence_length
    return whole * math.ceil(least / whole)


def _validated(spec: BudgetSpec, plan: Plan, validated: int) -> BudgetSpec:
    """Held out is exactly what is validated on: the same first documents of every source, whatever the tokens."""
    evaluation = Evaluation(every_steps=plan.training.steps, tokens=validated, source_batches=1)
    return spec.model_copy(update={"evaluation": evaluation})
