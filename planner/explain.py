"""``explain``: why one thing in a plan is as it is, step by step, with the numbers filled in.

Every number is computed anew from the spec, the law and the catalogs; only where a decision follows no formula does
the plan's own sentence stand.
"""

import difflib
from collections.abc import Callable

from sixnd.planner import (
    explain_cost,
    explain_estimates,
    explain_mix,
    explain_model,
    explain_practice,
    explain_ramp,
    explain_size,
    explain_training,
)
from sixnd.planner.continual import FROM_BASE
from sixnd.planner.document_masks import counted
from sixnd.planner.explanation import Explanation, Facts, Step
from sixnd.planner.why_not import asked_layout, why_not
from sixnd.specs.errors import SixndError
from sixnd.specs.plan import Decision, Estimate, Plan

_Derivation = Callable[[Facts], list[Step]]

_DECISIONS: dict[str, _Derivation] = {
    "budget.compute_flops": explain_size.compute,
    "law": explain_size.law,
    "model.flops_per_token": explain_model.flops_per_token,
    "model.params": explain_size.params,
    "model.shape": explain_model.shape,
    "model.vocab_size": explain_model.vocabulary,
    "model.tied_embeddings": explain_model.tied,
    "data.tokens": explain_size.tokens,
    "data.sources": explain_mix.sources,
    "data.anneal": explain_mix.annealing,
    "data.document_masks": counted,
    "training.global_batch": explain_training.batch,
    "training.batch_ramp": explain_ramp.ramp,
    "training.learning_rate": explain_training.learning_rate,
    "training.schedule": explain_training.schedule,
    "training.adam": explain_training.adam,
    "training.init_std": explain_training.init_std,
    "training.z_loss": explain_practice.z_loss,
    "training.deterministic": explain_practice.deterministic,
    "training.weight_decay_embeddings": explain_practice.weight_decay_embeddings,
    "training.fp8_recipe": explain_practice.fp8_recipe,
    "training.parametrization": explain_training.parametrization,
    "training.precision": explain_model.precision,
    "layout": explain_model.layout,
    "checkpoints.every_steps": explain_training.checkpoints,
    "evaluation.every_steps": explain_training.evaluation,
    "cluster.goodput": explain_cost.goodput,
}
_ESTIMATES: dict[str, _Derivation] = {
    "loss": explain_size.loss,
    "tokens_worth": explain_estimates.tokens_worth,
    "step_time_s": explain_estimates.step_time_s,
    "tokens_per_s": explain_estimates.tokens_per_s,
    "mfu": explain_estimates.mfu,
    "hfu": explain_estimates.hfu,
    "memory_bytes": explain_estimates.memory_bytes,
    "train_time_s": explain_estimates.train_time_s,
    "wall_time_s": explain_cost.wall_time_s,
    "accelerator_hours": explain_cost.accelerator_hours,
    "money_usd": explain_cost.money_usd,
    "energy_kwh": explain_cost.energy_kwh,
    "co2_kg": explain_cost.co2_kg,
    "goodput": explain_cost.goodput_estimate,
    "failures": explain_cost.failures,
}
_SHORT = {
    "N": "model.params",
    "D": "data.tokens",
    "C": "budget.compute_flops",
    "L": "estimates.loss",
    "compute": "budget.compute_flops",
    "params": "model.params",
    "tokens": "data.tokens",
    "mix": "data.sources",
    "anneal": "data.anneal",
    "masks": "data.document_masks",
    "shape": "model.shape",
    "vocabulary": "model.vocab_size",
    "flops": "model.flops_per_token",
    "batch": "training.global_batch",
    "ramp": "training.batch_ramp",
    "lr": "training.learning_rate",
    "schedule": "training.schedule",
    "adam": "training.adam",
    "tied": "model.tied_embeddings",
    "init": "training.init_std",
    "z_loss": "training.z_loss",
    "deterministic": "training.deterministic",
    "mup": "training.parametrization",
    "precision": "training.precision",
    "checkpoints": "checkpoints.every_steps",
    "evaluation": "evaluation.every_steps",
    "goodput": "cluster.goodput",
    "loss": "estimates.loss",
    "worth": "estimates.tokens_worth",
    "memory": "estimates.memory_bytes",
    "step_time": "estimates.step_time_s",
    "throughput": "estimates.tokens_per_s",
    "mfu": "estimates.mfu",
    "hfu": "estimates.hfu",
    "train_time": "estimates.train_time_s",
    "time": "estimates.wall_time_s",
    "hours": "estimates.accelerator_hours",
    "money": "estimates.money_usd",
    "energy": "estimates.energy_kwh",
    "co2": "estimates.co2_kg",
}


def explainable(plan: Plan) -> dict[str, list[str]]:
    """What ``explain`` knows of this plan: fields in the plan's order, each with its short names."""
    fields = [each.what for each in plan.decisions]
    fields += [f"estimates.{name}" for name in _ESTIMATES if getattr(plan.estimates, name) is not None]
    return {field: [short for short, full in _SHORT.items() if full == field] for field in fields}


def explain(plan: Plan, name: str) -> Explanation:
    """The derivation of one decision or estimate.

    Raises ``SixndError`` with the nearest name where the plan has nothing of that name.
    """
    facts, pins = Facts(plan), asked_layout(name)
    if pins is not None:
        return why_not(facts, name, pins)
    field = _field(name, explainable(plan))
    if field.startswith("estimates."):
        return _of_estimate(facts, field)
    return _of_decision(facts, next(each for each in plan.decisions if each.what == field))


def _field(name: str, known: dict[str, list[str]]) -> str:
    names = {field.removeprefix("estimates."): field for field in known}
    names |= {one: field for field, short in known.items() for one in (field, *short)}
    lower = {one.lower(): field for one, field in reversed(list(names.items()))}
    found = names.get(name) or lower.get(name.lower().replace(" ", "_"))
    if found is not None:
        return found
    near = difflib.get_close_matches(name.lower(), lower, 1, 0.5)
    hint = f"did you mean '{near[0]}'? It has" if near else "it has"
    listed = "\n".join("  " + ", ".join([field, *short]) for field, short in known.items())
    raise SixndError(f"the plan has nothing called '{name}' to explain", f"{hint}\n{listed}")


def _of_estimate(facts: Facts, field: str) -> Explanation:
    name = field.removeprefix("estimates.")
    estimate: Estimate = getattr(facts.plan.estimates, name)
    if name == "loss" and facts.plan.continual is not None:
        told = [Step("why", estimate.basis, estimate.value, estimate.unit)]
        return Explanation(field, f"{estimate.value:.6g} {estimate.unit}", False, told)
    return Explanation(field, f"{estimate.value:.6g} {estimate.unit}", False, _ESTIMATES[name](facts))


def _of_decision(facts: Facts, decision: Decision) -> Explanation:
    """With its derivation; a decision that no formula makes is its own reason."""
    of_base = facts.plan.continual is not None and decision.what in FROM_BASE
    derive = None if of_base else _DECISIONS.get(decision.what)
    steps = [Step("why", decision.reason, decision.value, decision.source)] if derive is None else derive(facts)
    return Explanation(decision.what, decision.value, decision.pinned, steps)
